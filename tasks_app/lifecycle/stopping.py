"""The stop of tasks whose cancel was requested, and of all their children."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

from ..reporting import find_reporter
from ..snapshot import Snapshot
from ..store import Kin, decode, find_children, find_families, get_store
from .announce import ANNOUNCED, withdraw
from .frameworks import find_framework, withdraw_each


def stop(snapshots: Sequence[Snapshot]) -> None:
    """Have tasks stop, whose requests to cancel are stored, wherever they wait or run.

    Raises:
        Exception: any error of the cache.
    """
    by_runner = defaultdict[str, list[str]](list)
    for snapshot in snapshots:
        if (reporter := find_reporter(snapshot.task_id)) is not None:
            reporter.request_cancel()
        if snapshot.runner == ANNOUNCED:
            withdraw(snapshot.task_id)
        elif snapshot.runner is not None:
            by_runner[snapshot.runner].append(snapshot.task_id)
    for runner, task_ids in by_runner.items():
        if (framework := find_framework(runner)) is not None:
            withdraw_each(framework, task_ids)


def cancel_task(task_id: str) -> None:
    """Cancel a task, and its children.

    Raises:
        Exception: any error of the cache.
    """
    get_store().request_cancel(task_id)
    if (snapshot := get_store().get(task_id)) is not None:
        stop([snapshot])
        cancel_children(task_id)


def cancel_children(task_id: str) -> None:
    """Cancel the children of a task that have not ended, and theirs.

    A child that begins later finds the request; one that is started later is cancelled by who starts it, since the
    request to cancel its parent is stored.

    Raises:
        Exception: any error of the cache.
    """
    parents, seen = {task_id: 1}, {task_id}
    while parents:
        known = _cancel_each(_find_kin(parents, seen))
        seen.update(item.task_id for item in known)
        parents = {item.task_id: item.children["total"] for item in known if item.children}


def _find_kin(parents: Mapping[str, int], seen: Set[str]) -> list[Kin]:
    families = find_families(parents).items()
    return [(parent, child) for parent, family in families for child in family.members if child not in seen]


def _cancel_each(kin: Sequence[Kin]) -> list[Snapshot]:
    """Cancel those of these children that have not ended, and return those of which something is stored.

    A task that names another parent is not its child, although that was told its id.
    """
    ends, texts = find_children(kin)
    stored = {child: decode(child, text) for child, text in texts.items()}
    known = []
    for parent, child in kin:
        snapshot = stored.get(child)
        if (parent, child) in ends or (snapshot is not None and snapshot.parent != parent):
            continue
        get_store().request_cancel(child)
        if snapshot is not None:
            known.append(snapshot)
    stop(known)
    return known
