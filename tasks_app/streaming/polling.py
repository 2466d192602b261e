"""Stalled and lost tasks as seen by callers that poll; for streams, the hub does the same."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from functools import partial
from typing import NamedTuple

from ..conf import get_settings
from ..reporting import get_flusher, recall
from ..snapshot import Part, Silence, Snapshot, Spell, State, as_silent, awaits_children, compose, waits_elsewhere
from ..store import Family, Kin, decode, find_children, find_families, get_store
from ..utils.lazy import per_process
from ..utils.turns import give_way
from .age import count_age
from .expired import declare_expired, find_expired
from .floors import get_floors
from .judgement import judge_by_settings, measure
from .lost import declare_lost
from .probe import Probe

#: The most tasks remembered between two polls; then the one polled longest ago is forgotten.
MAX_OBSERVED = 10_000


def observe(task_id: str) -> Snapshot | None:
    """Return the snapshot of a task, or None.

    It is stalled, or declared lost, if this process has polled the task long enough without seeing a change. The
    first poll finds it stalled by the age of what is stored, or cancelled if it expired before it began. While the
    cache refuses to store that a task is lost, the task stays stalled.

    Raises:
        Exception: raised by the cache.
    """
    sight = _look(task_id, get_store().read([task_id]).get(task_id))
    known = recall(task_id) if sight is None else _judge([sight])[0]
    return None if known is None else sum_up([known])[0]


def observe_many(task_ids: Sequence[str]) -> list[Snapshot]:
    """Do what `observe` does for several tasks at once, in this order, leaving out those that are not stored.

    Raises:
        Exception: raised by the cache.
    """
    return observe_texts(task_ids, get_store().read(task_ids))


def observe_texts(task_ids: Sequence[str], texts: Mapping[str, str]) -> list[Snapshot]:
    """Do what `observe_many` does, with texts that were just read from the store."""
    return sum_up(_look_at_each(give_way(task_ids), texts))


def observe_children(task_id: str, states: Set[State], limit: int) -> tuple[list[Snapshot], int]:
    """Return those of a task's children that are in these states, in the order of their start, and how many they are.

    A child of which nothing is known yet counts as queued, as does the task of another parent, whose id this one was
    told. Like the ends that are kept for longer than their tasks, it is counted but not returned.

    Args:
        limit: the most to return.

    Raises:
        Exception: raised by the cache.
    """
    family = find_families({task_id: 1})[task_id]
    children = list(family.members)
    if states == set(State):
        return _observe_own(task_id, children[:limit]), family.brood.total
    parts = {
        child: part for (_, child), part in _find_parts([(task_id, child) for child in children], {task_id}).items()
    }
    found = [child for child in children if (parts[child].state if child in parts else State.QUEUED) in states]
    return _observe_own(task_id, found[:limit]), len(found)


def _observe_own(parent: str, children: Sequence[str]) -> list[Snapshot]:
    """Return those of these tasks that are children of this parent, whatever ids it was told."""
    seen = _look_at_each(give_way(children), get_store().read(children))
    return sum_up([item for item in seen if item.parent == parent])


async def aobserve_children(task_id: str, states: Set[State], limit: int) -> tuple[list[Snapshot], int]:
    """Do what `observe_children` does, from async code; many tasks take long to decode."""
    store = get_store()
    call = store.arun_aside if store.is_local else store.acall_unless_late
    return await call(observe_children, task_id, states, limit)


def sum_up(snapshots: Sequence[Snapshot], ancestors: Set[str] = frozenset()) -> list[Snapshot]:
    """Return these tasks, and in place of a parent's own record its sum with all its children.

    All parents of a level are read together: what children they have, then what is known of these. A parent whose end
    nobody watched is stored as ended.

    Args:
        ancestors: the parents that are being summed up; they can't be their own descendants.

    Raises:
        Exception: raised by the cache.
    """
    parents = {item.task_id: item for item in snapshots if awaits_children(item) and item.task_id not in ancestors}
    if not parents:
        return list(snapshots)
    families = find_families({task_id: (item.children or {}).get("total", 0) for task_id, item in parents.items()})
    kin = [(task_id, child) for task_id, family in families.items() for child in family.members]
    parts = _find_parts(kin, ancestors | parents.keys())
    sums = {task_id: _sum(own, families[task_id], parts) for task_id, own in parents.items()}
    if ended := [item for task_id, item in sums.items() if item.is_terminal and families[task_id].is_complete]:
        get_flusher().sums.store_ends(ended)
    return [sums.get(item.task_id, item) for item in snapshots]


def _find_parts(kin: Sequence[Kin], ancestors: Set[str]) -> dict[Kin, Part]:
    ends, texts = find_children(kin)
    # One that was declared lost may have been taken back by its process.
    living = dict.fromkeys(pair for pair in kin if pair not in ends or ends[pair].state is State.LOST)
    seen = _look_at_each(dict.fromkeys(child for _, child in living), texts)
    known = sum_up([item for item in seen if (item.parent, item.task_id) in living], ancestors)
    return ends | {(str(item.parent), item.task_id): Part.of(item) for item in known if not awaits_children(item)}


def _sum(own: Snapshot, family: Family, parts: Mapping[Kin, Part]) -> Snapshot:
    weighed = [(weight, parts.get((own.task_id, child))) for child, weight in family.members.items()]
    floors = get_floors()
    total = compose(own, weighed, is_cancelled=family.brood.is_cancelled, floor=floors.find(own))
    floors.note(total)
    return total


async def aobserve(task_id: str) -> Snapshot | None:
    """Do what `observe` does, from async code."""
    return await get_store().acall_unless_late(observe, task_id)


async def aobserve_many(task_ids: Sequence[str]) -> list[Snapshot]:
    """Do what `observe_many` does, from async code; many tasks take long to decode."""
    store = get_store()
    call = store.arun_aside if store.is_local else store.acall_unless_late
    return await call(observe_many, task_ids)


def _look_at_each(task_ids: Iterable[str], texts: Mapping[str, str]) -> list[Snapshot]:
    return _judge([sight for task_id in task_ids if (sight := _look(task_id, texts.get(task_id))) is not None])


def _look(task_id: str, text: str | None) -> "Sight | None":
    return get_observer().look(task_id, text, max_gap=get_settings().STALLED_AFTER, monotonic=time.monotonic())


def _judge(sights: Sequence["Sight"]) -> list[Snapshot]:
    shown = {sight.snapshot.task_id: sight.snapshot for sight in sights}
    spells = {sight.snapshot.task_id: sight.spell for sight in sights}
    stalled, lost = judge_by_settings(spells)
    declared = _declare_lost([shown[task_id] for task_id in lost], can_tell=_can_tell(stalled or lost))
    shown |= {task_id: as_silent(shown[task_id]) for task_id in (*stalled, *lost)}
    shown |= {snapshot.task_id: snapshot for snapshot in declared}
    if expired := find_expired(shown.values()):
        shown |= {snapshot.task_id: snapshot for snapshot in declare_expired(expired)}
    return [shown[sight.snapshot.task_id] for sight in sights]


def _can_tell(silent: Sequence[str]) -> bool:
    """Return whether the silence of these tasks means anything, since the cache takes writes and shows them."""
    settings = get_settings()
    return not silent or get_observer().probe.is_sound(
        monotonic=time.monotonic(), interval=settings.SWEEP_INTERVAL, max_age=settings.STALLED_AFTER
    )


def _declare_lost(snapshots: Sequence[Snapshot], *, can_tell: bool) -> Sequence[Snapshot]:
    """Declare tasks lost if that can be told, and return those for which it is stored."""
    observer = get_observer()
    if not can_tell:
        observer.excuse_all(monotonic=time.monotonic())
        return []
    if not snapshots:
        return []
    verdict = declare_lost(snapshots, observer.probe, time.monotonic())
    if verdict.has_failed:
        observer.excuse_all(monotonic=time.monotonic())
    observer.excuse(verdict.refused, monotonic=time.monotonic())
    return verdict.lost


class Sight(NamedTuple):
    """A task's snapshot, and for how long it has been silent."""

    snapshot: Snapshot
    spell: Spell


class Observer:
    """The memory of tasks that are polled, from one poll to the next, until they end."""

    def __init__(self, limit: int = MAX_OBSERVED) -> None:
        self.probe = Probe()
        self._limit = limit
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, tuple[Silence, float]] = OrderedDict()

    def look(self, task_id: str, text: str | None, *, max_gap: float, monotonic: float) -> Sight | None:
        """Take in the stored text of a task, and return the task; None if there is no snapshot in it.

        A task that waited for an executor elsewhere at the last look may have been lost by the store alone.

        Args:
            max_gap: the most seconds between two polls that count as silence. Of a longer gap only the age of what is
                stored tells something: the cache may have been unreachable to the task's process.
            monotonic: the time, in seconds.
        """
        with self._lock:
            silence, looked_at = self._seen.pop(task_id, (Silence(partial(decode, task_id)), -math.inf))
            gap = monotonic - looked_at
            if text is None and not (gap <= min(max_gap, get_settings().RETENTION) and _waits_elsewhere(silence)):
                return None
            if gap > max_gap and silence.snapshot is not None:
                silence.forgive(gap - max_gap)
            is_new = silence.hear(text, monotonic=monotonic)
            if gap > max_gap:
                count_age(silence, monotonic=monotonic, at_most=gap if is_new else math.inf)
            snapshot = silence.snapshot
            if snapshot is None or silence.is_garbled:
                return None
            if not snapshot.is_terminal:
                self._seen[task_id] = silence, monotonic
                if len(self._seen) > self._limit:
                    self._seen.popitem(last=False)
            return Sight(snapshot, measure(silence, monotonic=monotonic))

    def excuse(self, task_ids: Collection[str], *, monotonic: float) -> None:
        """Count the silence of these tasks only from `monotonic`."""
        with self._lock:
            for task_id in self._seen.keys() & task_ids:
                self._seen[task_id][0].excuse(monotonic=monotonic)

    def excuse_all(self, *, monotonic: float) -> None:
        """Count the silence of every task only from `monotonic`."""
        self.excuse(self._seen.keys(), monotonic=monotonic)


def _waits_elsewhere(silence: Silence) -> bool:
    return silence.snapshot is not None and waits_elsewhere(silence.snapshot)


@per_process()
def get_observer() -> Observer:
    """Return the observer of this process."""
    return Observer()
