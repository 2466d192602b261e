"""The continuation of a snapshot that another process has stored. Pure: the time is passed in."""

from datetime import datetime

from .copying import replace
from .snapshot import Snapshot
from .state import State


def rebase(snapshot: Snapshot, stored: Snapshot | None, *, since: Snapshot, now: datetime) -> Snapshot:
    """Rebase a snapshot onto the stored one, keeping its owner, relatives and counters, and a missing label.

    Args:
        snapshot: the snapshot to rebase, which grew from `since` without knowing `stored`.
        stored: the stored snapshot; None if there is none.
        since: the snapshot that this process began with.
    """
    if stored is None:
        return renumber(snapshot, now=now)
    if stored.seq < since.seq:
        return snapshot
    return replace(
        snapshot,
        task=stored.task,
        label=snapshot.label or stored.label,
        parent=stored.parent or snapshot.parent,
        children=snapshot.children or stored.children,
        expected=stored.expected if snapshot.expected is None else snapshot.expected,
        eta=stored.expected if _has_no_eta(snapshot) else snapshot.eta,
        owner=stored.owner,
        runner=stored.runner,
        created_at=stored.created_at,
        attempt=stored.attempt + snapshot.attempt - since.attempt,
        seq=stored.seq + snapshot.seq,
    )


def _has_no_eta(snapshot: Snapshot) -> bool:
    """Return whether a task has begun just now, without a word of how long it takes."""
    return snapshot.state is State.RUNNING and snapshot.eta is None and snapshot.percent is None


def take_back(snapshot: Snapshot, lost: Snapshot) -> Snapshot:
    """Return a snapshot as a later version than `lost`, by which another process declared the same attempt lost."""
    return replace(snapshot, seq=max(snapshot.seq, lost.seq + 1))


def is_wrongly_lost(stored: Snapshot, snapshot: Snapshot) -> bool:
    """Return whether `stored` says that an attempt is lost, of which its own process knows better by `snapshot`."""
    if stored.is_summed:  # some of its children are lost
        return False
    return stored.state is State.LOST and snapshot.state is not State.LOST and stored.attempt == snapshot.attempt


def renumber(snapshot: Snapshot, *, now: datetime) -> Snapshot:
    """Return a snapshot with a new `seq`, for a task that the cache does not hold.

    It continues from the time in milliseconds, beyond all versions that viewers may have seen.
    """
    return replace(snapshot, seq=max(snapshot.seq, int(now.timestamp() * 1000)))
