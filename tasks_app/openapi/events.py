"""The schemas of the events of streams."""

from collections.abc import Mapping

from ..streaming import END_ID
from .schema_parts import Schema, integer, json_text, number, record, ref, string, time
from .schemas import TERMINAL

#: What an event without a name is called by those who get it.
UNNAMED = "message"

_RETRY = integer("the milliseconds that an EventSource waits before it comes back", minimum=0)

_ALL_ENDED = record(
    {
        "progress": integer("how many of a hundred succeeded", minimum=0, maximum=100),
        "status": string("what people read"),
        "states": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "the ends, counted"},
    },
)


def event(description: str, data: Schema, name: str = UNNAMED, *, event_id: Schema | None = None) -> Schema:
    """Return the schema of an event.

    Args:
        data: the schema of its data, which is JSON.
        event_id: the schema of its id; None for one that has none.
    """
    parts: dict[str, Schema] = {"event": {"const": name}, **({} if event_id is None else {"id": event_id})}
    parts |= {"data": json_text(data), "retry": _RETRY}
    rare = ["retry", "event"] if name == UNNAMED else ["retry"]
    return record(parts, rare=rare, description=description)


_ID = string("for `Last-Event-ID`; it means nothing to clients")

_SNAPSHOT = event("The snapshot of a task, at once and at every change.", ref("Snapshot"), event_id=_ID)

#: The events that streams of one task and of many have in common.
_SHARED = [
    event("What was logged before the next snapshot, with `logs=1`.", ref("Log"), "log", event_id=_ID),
    event("A sign of life, with `heartbeat=event`.", {"type": "object"}, "heartbeat"),
    event("The server's time, with `heartbeat=event`.", record({"server_time": time("now")}), "time"),
    event(
        "The only event for an EventSource that is refused for now.",
        {"allOf": [ref("Problem"), record({"retry_after": number("the seconds until it comes back")})]},
        "refused",
    ),
]

EVENTS: Mapping[str, Schema] = {
    "TaskEvent": {
        "oneOf": [
            _SNAPSHOT,
            event(
                f"The last event, with the snapshot of an ended task: {', '.join(TERMINAL)}.",
                ref("Snapshot"),
                "end",
                event_id=_ID,
            ),
            *_SHARED,
        ]
    },
    "TasksEvent": {
        "oneOf": [
            _SNAPSHOT,
            event("A task that can't be shown.", record({"task_id": string("its id")}), "missing"),
            event("The last event, when all have ended.", _ALL_ENDED, "end", event_id={"const": END_ID}),
            *_SHARED,
        ]
    },
}
