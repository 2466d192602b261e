"""The stream that a request asks for, as its query says; no request object is needed to read it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..conf import get_settings
from ..metering import get_meter
from ..streaming import END_ID, Stream, View, count_streams, get_hub, has_told_all
from ..utils.query import Query
from .params import parse_heartbeat, parse_logs, parse_task_ids
from .problems import busy


@dataclass(slots=True)
class WantedStream:
    """The stream that a client asks for, with the last event that it has."""

    task_ids: Sequence[str]
    is_many: bool
    with_log: bool
    uses_heartbeat_events: bool
    last_event_id: str | None

    def is_known(self) -> bool:
        """Whether `open` need not wait for the cache, because others watch all of the tasks."""
        return get_hub().knows_all(self.task_ids)

    async def open(self) -> Stream:
        """Return a stream that watches the tasks; the caller must close it if it does not iterate over it.

        Raises:
            Problem: MAX_STREAMS are open.
            Exception: raised by the cache.
        """
        if (open_streams := count_streams()) >= (limit := get_settings().MAX_STREAMS):
            raise busy("MAX_STREAMS", f"{open_streams!r} streams are open; at most {limit!r} are allowed.")
        return await Stream.open(
            self.task_ids, with_log=self.with_log, uses_heartbeat_events=self.uses_heartbeat_events
        )

    def is_told(self, stream: Stream, views: Sequence[View | None]) -> bool:
        """Return whether the client has seen the end; `views` has None for each task that it may not see."""
        if not self.is_many:
            return has_told_all(stream.watches[0], self.last_event_id, with_log=self.with_log)
        return self.last_event_id == END_ID and all(view is None or view.is_terminal for view in views)

    def show(self, stream: Stream, views: Sequence[View | None]) -> None:
        """Have the stream send the tasks; `views` has None for each that the client may not see."""
        if self.is_many:
            hidden = [watch for watch, view in zip(stream.watches, views, strict=True) if view is None]
            stream.show_many(hidden, self.last_event_id)
        else:
            stream.show_one(self.last_event_id)
        get_meter().note_connect()


def parse_stream(query: Query, task_id: str | None, *, last_event_id: str | None) -> WantedStream:
    """Return the stream of one task, or of those that the query names.

    Args:
        task_id: the task in the path; None: it names none.
        last_event_id: the header of that name, which counts more than the query.

    Raises:
        Problem: a parameter is malformed.
    """
    return WantedStream(
        task_ids=parse_task_ids(query) if task_id is None else [task_id],
        is_many=task_id is None,
        with_log=parse_logs(query),
        uses_heartbeat_events=parse_heartbeat(query),
        last_event_id=last_event_id or query.get("last_event_id"),
    )
