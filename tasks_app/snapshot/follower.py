"""A task that is to be sent after another has ended, with an id that is known before. Pure: the time is passed in."""

from datetime import datetime

from .copying import replace
from .snapshot import Snapshot
from .state import GENERIC_MESSAGE, State

#: The `seq` of a follower that is not sent; by it, its first message differs from one that is sent once more.
UNSENT = 0


def make_follower(
    task_id: str,
    task: str,
    *,
    after: Snapshot,
    now: datetime,
    label: str | None = None,
    parent: str | None = None,
    runner: str | None = None,
) -> Snapshot:
    """Return the snapshot of a task that waits until another has sent it.

    Args:
        task_id: the id of the task.
        task: its name.
        after: what will send it, and gives it its owner.
        now: the time.
        label, parent: its own label and parent; those of `after` are not its.
        runner: the name of the framework that can withdraw the task.
    """
    private = {"label": label, "owner": after.owner, "runner": runner, "not_before": after.not_before}
    return Snapshot.queued(task_id, task, now=now, seq=UNSENT, parent=parent, **private)


def is_unsent(snapshot: Snapshot) -> bool:
    """Return whether a task waits until another has sent it."""
    return snapshot.state is State.QUEUED and snapshot.seq == UNSENT


def as_sent(follower: Snapshot, sent: Snapshot) -> Snapshot:
    """Return the snapshot of a follower that waits from now on as `sent`, its first snapshot without a past, does."""
    return replace(
        follower,
        label=sent.label or follower.label,
        expected=sent.expected,
        seq=sent.seq,
        updated_at=sent.updated_at,
        not_before=sent.not_before,
        expires_at=sent.expires_at,
    )


def end_like(snapshot: Snapshot, other: Snapshot, *, now: datetime) -> Snapshot:
    """Return the terminal snapshot of a task that ends as `other` did, which did not succeed."""
    if other.state is State.FAILED and other.error is not None:
        message = other.error["message"]
        return snapshot.failed(other.error["type"], None if message == GENERIC_MESSAGE else message, now=now)
    if other.state is State.CANCELLED:
        return snapshot.cancelled(now=now, status=None if other.cancel_requested else other.status)
    return snapshot.lost(now=now)
