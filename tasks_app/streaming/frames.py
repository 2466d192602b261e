"""The frames that viewers are sent: Server-Sent Events as the HTML standard defines them. Pure.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from ..snapshot import Snapshot
from ..utils.clock import format_time
from ..utils.json import encode_json

CONTENT_TYPE = "text/event-stream"

#: The `id` of the last event of a stream of many tasks.
END_ID = "end"

#: A comment that keeps proxies from closing an idle connection; no client shows it. No empty line follows it: common
#: clients take each empty line for the end of a message, and hand on an empty one.
KEEP_ALIVE = b": keep-alive\n"

#: The same as an event, for clients that must detect a dead connection: an EventSource can't see comments.
HEARTBEAT_EVENT = b"event: heartbeat\ndata: {}\n\n"


class View:
    """One public version of a task with its frames, which are encoded once and shared by all streams.

    Args:
        wire: the snapshot's JSON for viewers, if it is already encoded.
    """

    def __init__(self, snapshot: Snapshot, wire: str | None = None) -> None:
        self.snapshot = snapshot
        self._wire = wire
        self.event_id = snapshot.event_id
        self.is_terminal = snapshot.is_terminal

    @cached_property
    def frame(self) -> bytes:
        """The unnamed event."""
        return encode_snapshot(self.snapshot, self._wire)

    @cached_property
    def chunk(self) -> bytes:
        """The unnamed event as an HTTP/1.1 chunk: https://www.rfc-editor.org/rfc/rfc9112#section-7.1."""
        return b"%x\r\n%b\r\n" % (len(self.frame), self.frame)

    @cached_property
    def end_frame(self) -> bytes:
        """The event that ends a stream."""
        return encode_end(self.snapshot, self._wire)

    @cached_property
    def data(self) -> bytes:
        """The unnamed event without its id, for streams with ids of their own."""
        return _without_id(self.frame)

    @cached_property
    def end_data(self) -> bytes:
        """The event that ends a stream, without its id."""
        return _without_id(self.end_frame)

    @cached_property
    def last_frames(self) -> bytes:
        """The unnamed event and the one that ends a stream."""
        return self.frame + self.end_frame


def encode_event(data: Mapping[str, Any], *, event: str | None = None, event_id: str | None = None) -> bytes:
    """Return an event whose data is one line of ASCII JSON, so that no text can break the frame."""
    return _encode(encode_json(data), event=event, event_id=event_id)


def encode_retry(milliseconds: int) -> bytes:
    """Return the line, a part of the event that follows, that sets how long an EventSource waits to reconnect."""
    return b"retry: %d\n" % milliseconds


def get_keep_alive(*, as_event: bool) -> bytes:
    """Return what keeps an idle connection alive: a comment, or an event for clients that can't see comments."""
    return HEARTBEAT_EVENT if as_event else KEEP_ALIVE


def encode_server_time(now: datetime) -> bytes:
    """Return the event with the server's time, by which clients reckon: their own clocks may be wrong."""
    return encode_event({"server_time": format_time(now)}, event="time")


def encode_snapshot(snapshot: Snapshot, wire: str | None = None) -> bytes:
    """Return the unnamed event of a snapshot; `wire` is its JSON for viewers, if already encoded."""
    return _encode(wire or encode_json(snapshot.to_wire()), event_id=snapshot.event_id)


def encode_end(snapshot: Snapshot, wire: str | None = None) -> bytes:
    """Return the event that ends the stream of one task, with its terminal snapshot again."""
    return _encode(wire or encode_json(snapshot.to_wire()), event="end", event_id=snapshot.event_id)


def encode_id(event_id: str) -> bytes:
    """Return the `id:` line of the event that follows; `event_id` must be ASCII without line ends."""
    return f"id: {event_id}\n".encode("ascii")


def encode_log(task_id: str, offset: int, lines: Iterable[bytes]) -> bytes:
    """Return the event, without an id, of log lines from `offset` on; each of `lines` is ASCII JSON."""
    head = f'event: log\ndata: {{"task_id":{encode_json(task_id)},"offset":{offset},"lines":['
    return b"%s%s]}\n\n" % (head.encode("ascii"), b",".join(lines))


def encode_missing(task_id: str) -> bytes:
    """Return the event for a task that a multiplexed stream can't show."""
    return encode_event({"task_id": task_id}, event="missing")


def encode_refused(problem: Mapping[str, Any], *, retry_ms: int) -> bytes:
    """Return the one event of a stream that is refused for now, after which an EventSource comes back.

    Args:
        problem: the problem, as JSON.
        retry_ms: the milliseconds that it waits before.
    """
    return encode_retry(retry_ms) + encode_event({**problem, "retry_after": retry_ms / 1000}, event="refused")


def encode_all_ended(states: Mapping[str, int]) -> bytes:
    """Return the event that ends a multiplexed stream; `states` counts the tasks in each terminal state."""
    done, total = states.get("succeeded", 0), sum(states.values())
    data = {
        "progress": done * 100 // total if total else 0,
        "status": "All tasks ended",
        "states": states,
    }
    return encode_event(data, event="end", event_id=END_ID)


def _encode(text: str, *, event: str | None = None, event_id: str | None = None) -> bytes:
    head = (f"id: {event_id}\n" if event_id is not None else "") + (f"event: {event}\n" if event else "")
    return f"{head}data: {text}\n\n".encode("ascii")


def _without_id(frame: bytes) -> bytes:
    return frame.partition(b"\n")[2]
