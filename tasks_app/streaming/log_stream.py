"""The stream with log lines: each line once, however slowly the client reads and however often it reconnects.

The event ids of these streams carry the client's place in the log: `<event id>.<offset of the next line>` for one
task, `<hash of the tasks>.<offset>.<offset>…` for many. The bytes after the id line are shared by all streams.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..utils.json import encode_json
from .frames import View, encode_id
from .hub import Hub
from .stream import Stream
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


class LogStream(Stream):
    """A stream that sends, before each snapshot, the lines that the task has logged by then.

    The lines themselves are shared, in `watch.log`; a stream holds only its place in them.
    """

    def __init__(self, hub: Hub, *, uses_heartbeat_events: bool) -> None:
        super().__init__(hub, uses_heartbeat_events=uses_heartbeat_events)
        self._places: dict[Watch, Place] = {}
        self._hash = ""

    def has_told_all(self, last_event_id: str | None) -> bool:
        place, view = parse_place(last_event_id), self.watches[0].view
        return super().has_told_all(place.event_id) and view is not None and place.offset >= view.snapshot.logged

    def show_one(self, last_event_id: str | None) -> None:
        super().show_one(last_event_id)
        self._follow(self.watches, [parse_place(last_event_id)])

    def show_many(self, hidden: Iterable[Watch], last_event_id: str | None = None) -> None:
        hidden = list(hidden)
        super().show_many(hidden)
        task_ids = [watch.task_id for watch in self.watches]
        self._hash = hash_tasks(task_ids)
        self._follow([watch for watch in self.watches if watch not in hidden], parse_places(last_event_id, task_ids))

    def notify(self, watch: Watch) -> None:
        self._pending[watch] = None
        self._step()

    def _follow(self, shown: Iterable[Watch], places: Sequence[Place]) -> None:
        self._places = dict(zip(self.watches, places, strict=True))
        for watch in shown:
            self._hub.follow_log(self, watch)

    def _take_view(self, watch: Watch, view: View) -> bytes:
        log, place = watch.log, self._places[watch]
        assert log is not None
        if (lines := log.encode_from(place.offset)) is not None:
            event, place.offset = lines
            self._pending[watch] = None
            return self._encode_id(place) + event
        if log.end < view.snapshot.logged:
            return b""  # the hub notifies this stream once it has read the lines
        place.offset = max(place.offset, log.end)
        return self._take_snapshot(watch, view, place)

    def _take_snapshot(self, watch: Watch, view: View, place: Place) -> bytes:
        is_new, place.event_id = view.event_id != place.event_id, view.event_id
        event_id = self._encode_id(place)
        frames = event_id + view.data if is_new else b""
        if view.is_terminal:
            self._note_end(watch, view)
            if not self._is_many:
                frames += event_id + view.end_data
        return frames

    def _encode_id(self, place: Place) -> bytes:
        if not self._is_many:
            return encode_id(f"{place.event_id}.{place.offset}")
        return encode_id(".".join([self._hash, *(str(place.offset) for place in self._places.values())]))


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
