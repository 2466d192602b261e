"""The snapshot of a task that began before its stored snapshot could be read. Pure: the time is passed in."""

from dataclasses import replace
from datetime import datetime

from .snapshot import Snapshot


def rebase(snapshot: Snapshot, stored: Snapshot | None, *, since: Snapshot, now: datetime) -> Snapshot:
    """Rebase a snapshot onto the stored snapshot, keeping its owner and counters.

    Args:
        snapshot: the snapshot to rebase, which grew from `since` without knowing `stored`.
        stored: the stored snapshot; None if there is none.
        since: the snapshot that this process began with.
    """
    if stored is None:
        return snapshot.renumbered(now=now)
    if stored.seq < since.seq:
        return snapshot
    return replace(
        snapshot,
        task=stored.task,
        owner=stored.owner,
        runner=stored.runner,
        created_at=stored.created_at,
        attempt=stored.attempt + snapshot.attempt - since.attempt,
        seq=stored.seq + snapshot.seq,
    )
