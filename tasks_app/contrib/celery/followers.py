"""The tasks that Celery promised to send after another: the later steps of a chain, the body of a chord, a callback.

Their ids are known from the first message on. If a task does not succeed, Celery does not send what follows it, and
marks that in its result backend, without a signal; it may be the rest of a task that has replaced itself.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ...integration import (
    Reporter,
    Snapshot,
    State,
    adopt_promised,
    get_flusher,
    get_followers,
    make_follower,
    make_label,
)
from .common import RUNNER, is_tracked
from .signatures import FoundTask, find_tasks

#: The status of a follower that was not sent, although the task before it succeeded.
DROPPED = "Left out by an earlier step"


def announce_followers(embedded: Any, sent: Snapshot, by: Reporter | None) -> None:
    """Show the tasks as queued that are to follow one that is being sent.

    Args:
        embedded: the part of its message that has the signatures which follow it.
        sent: its snapshot.
        by: the reporter of the task that sends it.
    """
    followers = list(_make_each(embedded, sent))
    if by is not None:
        get_followers().note_sent(by, [sent.task_id, *(snapshot.task_id for snapshot in followers)])
    get_followers().announce(followers, after=sent)


def keep_followers(request: Any, reporter: Reporter) -> None:
    """Keep showing the tasks that are to follow one that runs in this process."""
    get_followers().keep(reporter, _make_each(request, reporter.snapshot))


def settle_followers(request: Any, reporter: Reporter) -> None:
    """End what is not sent after a task that ran in this process and is over."""
    unsent, ended = get_followers().take(reporter), reporter.snapshot
    if ended.state is not State.SUCCEEDED:
        end_followers(request, ended, unsent)
        return
    for task_id in unsent.keys() - find_followers(request).keys():  # the job itself has changed its request
        adopt_promised(unsent[task_id]).end_cancelled(DROPPED)


def end_followers(request: Any, ended: Snapshot, unsent: Mapping[str, Snapshot] | None = None) -> None:
    """End the tasks that were to follow this one as it ended, unless it succeeded.

    Args:
        request: the request of the task, with the signatures that follow it.
        ended: its snapshot; of a task that goes on, nothing follows from it.
        unsent: the followers that it has not sent, if that is known.
    """
    if not ended.is_terminal or ended.state is State.SUCCEEDED:
        return
    followers = {snapshot.task_id: snapshot for snapshot in _make_each(request, ended)}
    for snapshot in (followers | dict(unsent or {})).values():
        adopt_promised(snapshot).end_like(ended)


def find_followers(request: Any) -> dict[str, FoundTask]:
    """Return the tasks that are to follow this one, by id."""
    found = find_tasks([request.get("chain"), request.get("chord"), request.get("callbacks")])
    return {task.id: task for task in found if is_tracked(task.kind, task.id)}


def _make_each(request: Any, before: Snapshot) -> Iterator[Snapshot]:
    now = get_flusher().clock.now()
    for task in find_followers(request).values():
        if task.id != before.task_id:
            label = make_label(task.label)
            yield make_follower(
                task.id, task.name, after=before, now=now, label=label, parent=task.parent, runner=RUNNER
            )
