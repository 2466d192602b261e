"""The stop of tasks whose cancel was requested, and of all their children."""

from ..reporting import find_reporter
from ..snapshot import Snapshot
from ..store import decode, find_children, find_families, get_store
from .announce import ANNOUNCED, withdraw
from .frameworks import find_framework


def stop(snapshot: Snapshot) -> None:
    """Have a task stop, whose request to cancel is stored, wherever it waits or runs.

    Raises:
        Exception: any error of the cache.
    """
    if (reporter := find_reporter(snapshot.task_id)) is not None:
        reporter.request_cancel()
    if snapshot.runner == ANNOUNCED:
        withdraw(snapshot.task_id)
    if (framework := find_framework(snapshot.runner)) is not None:
        framework.withdraw(snapshot.task_id)


def cancel_children(task_id: str) -> None:
    """Cancel the children of a task that have not ended, and theirs.

    A child that begins later finds the request; one that is started later is cancelled by who starts it, since the
    request to cancel its parent is stored.

    Raises:
        Exception: any error of the cache.
    """
    parents, seen = {task_id: 1}, {task_id}
    while parents:
        families = find_families(parents).values()
        children = [child for family in families for child in family.members if child not in seen]
        seen.update(children)
        ends, texts = find_children(children)
        for child in children:
            if child not in ends:
                get_store().request_cancel(child)
        known = [decode(child, texts[child]) for child in children if child in texts and child not in ends]
        for snapshot in filter(None, known):
            stop(snapshot)
        parents = {item.task_id: item.children["total"] for item in known if item is not None and item.children}
