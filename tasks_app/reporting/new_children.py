"""The children that other processes give to the tasks of this one, which alone may write that a task has some."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from ..snapshot import Snapshot, expect_total
from ..store import find_totals, get_store
from ..utils.clock import Clock
from .fate import Taken, take
from .reporter import Reporter

logger = logging.getLogger("tasks_app")


def find_new_children(ended: Iterable[Reporter], *, clock: Clock) -> set[str]:
    """Have tasks wait for children that they were given elsewhere, and return the ids of these tasks.

    It is called once their ends are stored: a process that gives a task a child later finds that it has ended. A
    failure of the cache is logged; they end without such children then.

    Args:
        ended: the reporters of tasks that have ended.
    """
    alone = _choose_alone(ended)
    try:
        totals = find_totals(alone)
    except Exception:  # whatever a cache backend raises
        logger.exception("whether tasks %s were given children elsewhere can't be read", sorted(alone))
        return set()
    take_in_children(alone, totals, clock=clock)
    return set(totals)


def take_with_children(taken: Sequence[Taken], *, clock: Clock) -> Sequence[Taken]:
    """Return what to write, of tasks that have ended with the children that they were given elsewhere by now.

    Without these, viewers would take such a task for ended until it is written once more. A task that began since the
    last write costs no read: hardly any has children by then, and these are found later.
    """
    ended = (reporter for reporter, told in taken if told.is_terminal and not reporter.has_just_begun)
    alone, found = _choose_alone(ended), dict[str, int]()
    with suppress(Exception):  # whatever a cache backend raises: the write, or the read after it, tells of that
        found = find_totals(alone)
    take_in_children(alone, found, clock=clock)
    return [(item, take(item) or told if item.task_id in found else told) for item, told in taken]


def take_in_children(reporters: Mapping[str, Reporter], totals: Mapping[str, int], *, clock: Clock) -> None:
    """Have tasks wait for children that they were given elsewhere; those that have some are shown with all as it is.

    Args:
        reporters: those of the tasks, by their ids.
        totals: how many children each task has that has some.
    """
    for task_id, total in totals.items():
        if (reporter := reporters[task_id]).snapshot.children is None:
            reporter.change(partial(expect_total, total=total, now=clock.now()))


def with_children(ended: Sequence[Snapshot]) -> list[Snapshot]:
    """Return tasks that end without a process of their own, with the children that they were given elsewhere.

    Raises:
        Exception: any error of the cache.
    """
    totals = find_totals(item.task_id for item in ended if item.children is None)
    return [expect_total(item, totals.get(item.task_id, 0), now=item.updated_at) for item in ended]


def _choose_alone(ended: Iterable[Reporter]) -> dict[str, Reporter]:
    """Return those without children, by their ids; none where no other process has the cache."""
    if get_store().is_local:
        return {}
    return {item.task_id: item for item in ended if item.snapshot.children is None}
