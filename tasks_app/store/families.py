"""The ids of the children of tasks, and how those that have ended did.

The ids stand in segments that are written once and never changed, so any process may add some: a counter says how many
children there are, and in how many segments.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ..exceptions import StoreUnavailable
from ..snapshot import Part, Snapshot
from .broods import Brood, count_brood, read_brood
from .keys import (
    make_brood_key,
    make_cancel_key,
    make_counted_key,
    make_left_key,
    make_note_key,
    make_segment_key,
    make_task_key,
)
from .lifetimes import note_time_to_live
from .remainders import HELD, expect_ends, expect_family
from .store import get_store

#: The most ids in one segment.
SEGMENT = 500

#: The most keys that are read in one round trip.
BATCH = 2000

#: The children in one segment, and the weight of each.
Members = dict[str, float]


#: A parent and a child that it was told, as ids.
Kin = tuple[str, str]

#: A segment of a task: its id and the number of the segment.
Place = tuple[str, int]


class Family(NamedTuple):
    """The children of a task, in the order in which they were started, and the weight of each."""

    brood: Brood
    members: Members

    @property
    def is_complete(self) -> bool:
        """Whether all ids were found."""
        return len(self.members) >= self.brood.total


def add_children(task_id: str, children: Mapping[str, float]) -> int:
    """Add children to a task: their ids, and the weight of each; return how many it has then.

    Raises:
        Exception: any error of the cache, as StoreUnavailable if it refused some.
    """
    added = count_brood(len(children), _guess(len(children)))
    brood = read_brood(get_store().cache.count(make_brood_key(task_id), added, note_time_to_live()))
    _set_many(_make_segments(task_id, children, first=brood.segments - read_brood(added).segments))
    return brood.total


def open_family(task_id: str) -> None:
    """Have a parent that begins wait until its children are sent, and have none of an earlier run under its id.

    Raises:
        Exception: any error of the cache, as StoreUnavailable if it refused that.
    """
    _set_many({make_left_key(task_id): HELD, make_brood_key(task_id): 0})


def set_children(task_id: str, children: Mapping[str, float]) -> None:
    """Do what `add_children` does, in one round trip, for a task that has none and gets no others meanwhile."""
    _set_many(
        {
            make_brood_key(task_id): count_brood(len(children), _guess(len(children))),
            **_make_segments(task_id, children, first=0),
        }
    )


def restore_children(task_id: str, children: Mapping[str, float], *, waits: int = 0) -> None:
    """Store these children of a parent, as far as the cache has lost them, and how many it waits for.

    Args:
        waits: 1 if the parent runs, and so waits for its own end as well.

    Raises:
        Exception: any error of the cache; it may be tried again.
    """
    brood, members = find_families({task_id: len(children)})[task_id]
    known = {**members, **children}
    # Counted first: a child that ends meanwhile is taken off twice, so the parent is asked too early, never too late.
    is_counted = get_store().cache.add(make_left_key(task_id), len(known) + waits, note_time_to_live())
    if missing := {child: weight for child, weight in children.items() if child not in members}:
        _fill(task_id, brood, len(members), missing)
    if is_counted:
        expect_ends(task_id, -len(find_ends((task_id, child) for child in known)))


def count_left_again(task_id: str) -> int:
    """Have a parent wait for those of its children alone that are known and have not ended; return how many these are.

    Raises:
        Exception: any error of the cache; it may be tried again.
    """
    ends, texts = find_children([(task_id, child) for child in find_families({task_id: 1})[task_id].members])
    known = {(task_id, child) for child in texts} | ends.keys()
    expect_family(task_id, len(known))  # first, as in `restore_children`
    return expect_ends(task_id, -len(find_ends(known)))


def _fill(task_id: str, brood: Brood, found: int, missing: Mapping[str, float]) -> None:
    """Add children, in the place of segments that are counted, but were not stored."""
    stored = find_members([(task_id, number) for number in range(brood.segments)])
    empty = [number for number in range(brood.segments) if (task_id, number) not in stored]
    if brood.total - found >= len(missing) and len(empty) >= _guess(len(missing)):
        segments = _make_segments(task_id, missing, first=0).values()
        _set_many({make_segment_key(task_id, number): item for number, item in zip(empty, segments, strict=False)})
    else:
        add_children(task_id, missing)


def find_broods(task_ids: Iterable[str]) -> dict[str, Brood]:
    """Return how many children each of these tasks has, with one `get_many`."""
    keys = {task_id: (make_brood_key(task_id), make_cancel_key(task_id)) for task_id in task_ids}
    found = _get_many([key for pair in keys.values() for key in pair])
    return {
        task_id: read_brood(found.get(brood))._replace(is_cancelled=cancel in found)
        for task_id, (brood, cancel) in keys.items()
    }


def find_totals(task_ids: Iterable[str]) -> dict[str, int]:
    """Return how many children those of these tasks have that have any, with one `get_many`."""
    keys = {make_brood_key(task_id): task_id for task_id in task_ids}
    found = _get_many(list(keys))
    return {keys[key]: total for key, brood in found.items() if (total := read_brood(brood).total)}


def find_families(known: Mapping[str, int]) -> dict[str, Family]:
    """Return the children of tasks, with one `get_many` or, if there are more than expected, with two.

    Args:
        known: how many children each of these tasks is known to have.
    """
    places = [(task_id, number) for task_id, total in known.items() for number in range(_guess(total))]
    heads = [key for task_id in known for key in (make_brood_key(task_id), make_cancel_key(task_id))]
    found = _get_many([*heads, *_make_segment_keys(places)])
    broods = {task_id: read_brood(found.get(make_brood_key(task_id))) for task_id in known}
    more = [
        (task_id, number)
        for task_id, total in known.items()
        for number in range(_guess(total), broods[task_id].segments)
    ]
    found |= _get_many(_make_segment_keys(more))
    return {
        task_id: Family(
            brood._replace(is_cancelled=make_cancel_key(task_id) in found),
            {
                child: weight
                for number in range(brood.segments)
                for child, weight in _read_members(found.get(make_segment_key(task_id, number)))
            },
        )
        for task_id, brood in broods.items()
    }


def _make_segment_keys(places: Iterable[Place]) -> list[str]:
    return [make_segment_key(*place) for place in places]


def _guess(total: int) -> int:
    """Return the number of segments in which so many children stand, if they were started together."""
    return math.ceil(total / SEGMENT)


def find_members(places: Sequence[Place]) -> dict[Place, Members]:
    """Return the children in these segments; one that is missing is left out."""
    keys = dict(zip(_make_segment_keys(places), places, strict=True))
    found = _get_many(list(keys))
    return {keys[key]: dict(_read_members(segment)) for key, segment in found.items()}


def find_ends(kin: Iterable[Kin]) -> dict[Kin, Part]:
    """Return what is kept of those of these children that have ended as such."""
    keys = {make_note_key(*pair): pair for pair in kin}
    return {keys[key]: part for key, note in _get_many(list(keys)).items() if (part := Part.from_note(note))}


def find_children(kin: Sequence[Kin]) -> tuple[dict[Kin, Part], dict[str, str]]:
    """Return the ends of those of these children that have ended as such, and the stored texts of all of them.

    Only a task whose snapshot names the same parent is its child: any id can be told to a parent.
    """
    notes = {make_note_key(*pair): pair for pair in kin}
    texts = {make_task_key(child): child for _, child in kin}
    found = _get_many([*notes, *texts])
    return (
        {notes[key]: part for key in found.keys() & notes.keys() if (part := Part.from_note(found[key]))},
        {texts[key]: found[key] for key in found.keys() & texts.keys()},
    )


def restore_ends(task_id: str, ends: Mapping[str, Part]) -> None:
    """Store the ends of children of a parent again.

    Raises:
        Exception: any error of the cache, as StoreUnavailable if it refused some.
    """
    _set_many({make_note_key(task_id, child): part.to_note() for child, part in ends.items()})


def keep_family(task_id: str, brood: Brood) -> None:
    """Keep what is stored of a parent that takes long, and the ends of its children, as if it were written now.

    Raises:
        StoreUnavailable: the cache refused to store some of these ends again.
        Exception: any other error of the cache.
    """
    cache, ttl = get_store().cache, note_time_to_live()
    places = [(task_id, number) for number in range(brood.segments)]
    for key in (*_make_heads(task_id), *_make_segment_keys(places)):
        cache.touch(key, ttl)
    children = [make_note_key(task_id, child) for members in find_members(places).values() for child in members]
    for start in range(0, len(children), BATCH):  # a few round trips, where a `touch` of each would be thousands
        notes = cache.get_many(children[start : start + BATCH])
        if notes and (refused := cache.set_many(notes, ttl)):
            raise StoreUnavailable(f"the cache did not store {sorted(refused)!r}")


def forget_family(parent: Snapshot, is_chosen: Callable[[str], bool]) -> None:
    """Delete what is stored of the children of a parent whose id is used again, but not its own record.

    Args:
        is_chosen: whether a child may be sent again under its id; it is deleted as well, if it has ended.
    """
    task_id, total = parent.task_id, (parent.children or {}).get("total", 0)
    members = find_families({task_id: total})[task_id].members
    for _, child in find_ends((task_id, child) for child in filter(is_chosen, members)):
        get_store().cache.delete(make_task_key(child))
        get_store().cache.delete(make_note_key(task_id, child))
    for key in (make_brood_key(task_id), make_left_key(task_id), make_counted_key(task_id)):
        get_store().cache.delete(key)


def drop_family(task_id: str) -> None:
    """Delete a parent of which no child was sent."""
    for key in (*_make_heads(task_id), make_segment_key(task_id, 0)):
        get_store().cache.delete(key)


def _make_heads(task_id: str) -> Sequence[str]:
    return make_task_key(task_id), make_brood_key(task_id), make_left_key(task_id), make_counted_key(task_id)


def _get_many(keys: Sequence[str]) -> dict[str, Any]:
    cache = get_store().cache
    batches = (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
    return {key: value for batch in batches for key, value in cache.get_many(batch).items()}


def _set_many(values: Mapping[str, Any]) -> None:
    if refused := get_store().cache.set_many(dict(values), note_time_to_live()):
        raise StoreUnavailable(f"the cache did not store {sorted(refused)!r}")


def _make_segments(task_id: str, children: Mapping[str, float], *, first: int) -> dict[str, list[tuple[str, float]]]:
    rest, last = iter(children.items()), first + _guess(len(children))
    return {make_segment_key(task_id, number): list(islice(rest, SEGMENT)) for number in range(first, last)}


def _read_members(segment: object) -> Iterable[tuple[str, float]]:
    """Yield the children in a stored segment; what is none is left out."""
    for item in segment if isinstance(segment, list) else ():
        match item:
            case [str(task_id), int() | float() as weight]:
                yield task_id, weight
