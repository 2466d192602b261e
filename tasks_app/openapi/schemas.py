"""The schemas of what the endpoints answer. Pure."""

from collections.abc import Mapping

from ..snapshot import (
    MAX_LABEL_LENGTH,
    MAX_LEVEL_LENGTH,
    MAX_LINE_LENGTH,
    MAX_MESSAGE_LENGTH,
    MAX_NAME_LENGTH,
    MAX_STATUS_LENGTH,
    MAX_TASK_LENGTH,
    State,
)
from .schema_parts import Schema, array, boolean, integer, number, optional, record, ref, string, time

STATES = [str(state) for state in State]
TERMINAL = [str(state) for state in State if state.is_terminal]

_PERCENT = {"minimum": 0, "maximum": 100}

_STAGE = record(
    {
        "name": string("what it is called", maxLength=MAX_NAME_LENGTH),
        "weight": number("its share, beside the weights of the others"),
        "progress": integer("its own progress", **_PERCENT),
        "state": ref("State"),
    }
)

_ERROR = record(
    {
        "type": string("the type of what the job raised; `Exception` unless the site shows errors"),
        "message": string("its message; a general one unless the site shows errors", maxLength=MAX_MESSAGE_LENGTH),
    }
)

_CHILDREN = record({name: integer(f"how many are {name}", minimum=0) for name in ("total", *STATES)})

#: The fields of a snapshot, in the order of the reference.
FIELDS: Mapping[str, Schema] = {
    "task_id": string("its id"),
    "task": string("its name as started, or the function's dotted path", maxLength=MAX_TASK_LENGTH),
    "label": optional(string("what people call it", maxLength=MAX_LABEL_LENGTH)),
    "state": ref("State"),
    "progress": integer("0 to 99 while the task lives, 100 if and only if it succeeded", **_PERCENT),
    "percent": optional(number("the same, unrounded; null while the total is unknown", **_PERCENT)),
    "status": string("what the task said last", maxLength=MAX_STATUS_LENGTH),
    "current": optional(number("how much is done, as reported")),
    "total": optional(number("how much there is to do, as reported")),
    "unit": optional(string("what is counted", maxLength=MAX_NAME_LENGTH)),
    "rate": optional(number("units per second")),
    "eta": optional(number("the seconds left")),
    "expected": optional(number("the seconds that a run of the task usually takes")),
    "stages": array(_STAGE, "the declared stages"),
    "parent": optional(string("the id of the task that it is a child of")),
    "children": {"oneOf": [_CHILDREN, {"type": "null"}], "description": "of a parent, its children in each state"},
    "attempt": integer("the number of times it was begun", minimum=0),
    "queue_position": optional(integer("its place in line, where 1 begins next", minimum=1)),
    "created_at": optional(time("when it was started by its caller")),
    "started_at": optional(time("when its latest attempt began")),
    "updated_at": optional(time("when it changed last")),
    "finished_at": optional(time("when it ended")),
    "cancel_requested": boolean("Whether it was asked to stop."),
    "stalled": boolean("Whether it gives no sign of life."),
    "meta": {"type": "object", "description": "what the task set"},
    "result": {"description": "what it returned, as any JSON; null until it has succeeded, or where it is left out"},
    "result_omitted": string("why the result is left out"),
    "conclusion": string("the words of the job about its success"),
    "error": {"oneOf": [_ERROR, {"type": "null"}], "description": "why it failed"},
    "seq": integer("grows with every change, by one or more"),
}

#: Those that are there only where they say something.
RARE = ("result_omitted", "conclusion")

_LINE = record(
    {
        "t": time("when it was logged"),
        "level": string("such as `info`", maxLength=MAX_LEVEL_LENGTH),
        "text": string("the line", maxLength=MAX_LINE_LENGTH),
    }
)

_ROW = {
    **{name: schema for name, schema in FIELDS.items() if name not in ("meta", "result")},
    "owner": {
        "oneOf": [record({"id": string("the owner's key"), "name": string("the owner's name")}), {"type": "null"}]
    },
    "may_cancel": boolean("Whether the caller may cancel it."),
}

_ATTEMPT = record(
    {
        "attempt": integer("its number", minimum=0),
        "state": ref("State"),
        "started_at": optional(time("when it began")),
        "finished_at": optional(time("when it ended")),
        "host": optional(string("the machine of its worker")),
        "process": optional(integer("the process id of its worker")),
        "arguments": {
            "oneOf": [
                array(record({"name": string("its name, or nothing"), "value": string("its value as text")})),
                {"type": "null"},
            ],
            "description": "null unless the site records them",
        },
        "error": optional(string("the type of what the job raised")),
        "traceback": optional(string("null unless the site records it")),
        "stages": array(
            record(
                {
                    "name": string("what it is called"),
                    "state": ref("State"),
                    "started_at": optional(time("when the job entered it")),
                    "finished_at": optional(time("when the job left it")),
                }
            )
        ),
    }
)

_CHART_LINE = array(integer("tasks", minimum=0))

_MONITOR = record(
    {
        "counts": record({name: integer("tasks", minimum=0) for name in ("all", *STATES, "stalled")}),
        "failed_last_hour": integer("tasks", minimum=0),
        "chart": record(
            {
                "step": integer("the seconds of a column"),
                "until": time("the end of the last column"),
                **dict.fromkeys(("running", "succeeded", "failed", "cancelled"), _CHART_LINE),
            }
        ),
        "names": array(string("a name that some task has")),
        "total": integer("how many tasks are selected", minimum=0),
        "page": integer("the number of this page", minimum=1),
        "pages": integer("how many pages there are", minimum=1),
        "page_size": integer("the most rows of a page"),
        "rows": array(record(_ROW, rare=RARE), "snapshots without `meta` and `result`"),
    }
)

#: What a task that was started is answered with.
_STARTED = record(
    {
        "task_id": string("the id of the task"),
        "task": string("its name in STARTABLE"),
        "state": {"const": str(State.QUEUED)},
        "progress_url": string("where its progress is streamed", format="uri-reference"),
        "status_url": string("where its snapshot is", format="uri-reference"),
        "cancel_url": string("where it is cancelled", format="uri-reference"),
        "token": optional(string("shows the task for a while; that of a visitor also cancels it")),
    }
)

_PROBLEM = record(
    {
        "type": string("always `about:blank`", format="uri-reference"),
        "title": string("the name of the status"),
        "status": integer("the status"),
        "detail": string("what is wrong, and what is allowed"),
    }
)

SCHEMAS: Mapping[str, Schema] = {
    "State": {"type": "string", "enum": STATES, "description": f"The last ones are final: {', '.join(TERMINAL)}."},
    "Snapshot": record(FIELDS, rare=RARE, description="All that is known of a task. A client may miss any number."),
    "Started": _STARTED,
    "Problem": _PROBLEM,
    "Tasks": record({"tasks": array(ref("Snapshot"))}),
    "Children": record({"children": array(ref("Snapshot")), "total": integer("how many there are", minimum=0)}),
    "Cancelled": record({"task_id": string("the id of the task"), "cancel_requested": {"const": True}}),
    "Tokens": record(
        {
            "token": optional(string("shows the tasks; null if there are none")),
            "tasks": array(string("the id of a task that it shows")),
            "max_age": number("the seconds for which it does"),
        }
    ),
    "Log": record(
        {
            "task_id": string("the id of the task"),
            "offset": integer("the number of the first line", minimum=0),
            "lines": array(_LINE),
        }
    ),
    "Monitor": _MONITOR,
    "Details": record({"attempts": array(_ATTEMPT)}),
}
