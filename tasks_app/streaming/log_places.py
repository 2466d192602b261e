"""The place of one client in the log of each task of its stream: each line once, however often it reconnects.

The event ids of a stream with the log carry these places: `<event id>.<offset of the next line>` for one task,
`<hash of the tasks>.<offset>.<offset>…` for many. The bytes after the id line are shared by all streams.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from ..utils.json import encode_json
from .frames import View, encode_id
from .watch import Watch

#: The ids that clients say they were sent last. Their parts are sent back, so these allow nothing else in them.
_OFFSET = "[0-9]{1,15}"
_ID_OF_ONE = re.compile(rf"([0-9]{{0,15}}(?:-[a-z]{{1,10}})?)(?:\.({_OFFSET}))?")
_ID_OF_MANY = re.compile(rf"([0-9a-f]+)((?:\.{_OFFSET})+)")


@dataclass(slots=True)
class Place:
    """A client's place in one task: the event id it has seen last, and the offset of the next line to send."""

    event_id: str = ""
    offset: int = 0


class LogPlaces:
    """A client's places in the tasks of a stream; the lines themselves are shared, in `watch.log`.

    Args:
        task_hash: identifies the tasks in the event ids of a stream of many; None in a stream of one.
    """

    def __init__(self, watches: Sequence[Watch], places: Sequence[Place], *, task_hash: str | None = None) -> None:
        self._places = dict(zip(watches, places, strict=True))
        self._task_hash = task_hash

    @classmethod
    def of_one(cls, watch: Watch, last_event_id: str | None) -> Self:
        """Return the place of a client that watches one task."""
        return cls([watch], [parse_place(last_event_id)])

    @classmethod
    def of_many(cls, watches: Sequence[Watch], last_event_id: str | None) -> Self:
        """Return the places of a client that watches many tasks."""
        task_ids = [watch.task_id for watch in watches]
        return cls(watches, parse_places(last_event_id, task_ids), task_hash=hash_tasks(task_ids))

    def has_all(self, watch: Watch, view: View) -> bool:
        """Return whether the client has seen this version of a task and every line that it counts."""
        place = self._places[watch]
        return place.event_id == view.event_id and place.offset >= view.snapshot.logged

    def take_lines(self, watch: Watch) -> bytes | None:
        """Return the event of the next lines, or None if the client has all that were read."""
        assert watch.log is not None
        place = self._places[watch]
        if (lines := watch.log.encode_from(place.offset)) is None:
            return None
        event, place.offset = lines
        return self._encode_id(place) + event

    def take_snapshot(self, watch: Watch, view: View, *, with_end: bool) -> bytes | None:
        """Return the event of a snapshot, or None while lines that it counts are still to be read.

        It is empty if the client has seen the snapshot; the event that ends a stream follows it `with_end`.
        """
        assert watch.log is not None
        place = self._places[watch]
        if watch.log.end < view.snapshot.logged:
            return None
        place.offset = max(place.offset, watch.log.end)
        is_new, place.event_id = view.event_id != place.event_id, view.event_id
        event_id = self._encode_id(place)
        return (event_id + view.data if is_new else b"") + (event_id + view.end_data if with_end else b"")

    def _encode_id(self, place: Place) -> bytes:
        if self._task_hash is None:
            return encode_id(f"{place.event_id}.{place.offset}")
        return encode_id(".".join([self._task_hash, *(str(place.offset) for place in self._places.values())]))


def has_told_all(watch: Watch, last_event_id: str | None, *, with_log: bool) -> bool:
    """Return whether a client with this last event id has seen the end of a task, `with_log` with all of its lines."""
    if (view := watch.view) is None or not view.is_terminal:
        return False
    if with_log:
        return LogPlaces.of_one(watch, last_event_id).has_all(watch, view)
    return view.event_id == last_event_id


def parse_place(event_id: str | None) -> Place:
    """Return the place that the last event id of a stream of one task gives.

    An id from a stream without log lines gives offset 0; a malformed one counts as none.
    """
    match = _ID_OF_ONE.fullmatch(event_id or "")
    return Place(match[1], int(match[2] or 0)) if match else Place()


def parse_places(event_id: str | None, task_ids: Sequence[str]) -> list[Place]:
    """Return the places that the last event id of a stream of these tasks gives; any other counts as none."""
    match = _ID_OF_MANY.fullmatch(event_id or "")
    offsets = match[2].split(".")[1:] if match and match[1] == hash_tasks(task_ids) else []
    if len(offsets) != len(task_ids):
        return [Place() for _ in task_ids]
    return [Place(offset=int(offset)) for offset in offsets]


def hash_tasks(task_ids: Sequence[str]) -> str:
    """Return a hash of 12 characters that identifies this list of tasks."""
    return hashlib.sha256(encode_json(task_ids).encode()).hexdigest()[:12]
