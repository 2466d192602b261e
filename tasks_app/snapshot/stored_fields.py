"""The shape of a stored snapshot: another program, or another version, may have left anything there. Pure."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from ..utils.clock import parse_time
from .state import Stage, State

_NUMBERS = ("percent", "current", "total", "rate", "eta", "expected")

#: The types of the fields as JSON has them; whatever is not named here may be anything.
_TYPES: Mapping[str, frozenset[type]] = {
    **dict.fromkeys(("task_id", "task", "status"), frozenset({str})),
    **dict.fromkeys(
        ("label", "parent", "unit", "result_omitted", "conclusion", "owner", "runner"), frozenset({str, type(None)})
    ),
    **dict.fromkeys(("progress", "attempt", "seq", "logged"), frozenset({int})),
    **dict.fromkeys(("queue_position", "beat"), frozenset({int, type(None)})),
    **dict.fromkeys(_NUMBERS, frozenset({int, float, type(None)})),
    **dict.fromkeys(("cancel_requested", "stalled", "allows_failures", "is_summed"), frozenset({bool})),
    "meta": frozenset({dict}),
    **dict.fromkeys(("children", "error"), frozenset({dict, type(None)})),
}

_HUGE = sys.float_info.max


def read_fields(data: Mapping[str, Any], *, times: Iterable[str]) -> dict[str, Any]:
    """Return the fields of a snapshot out of those that are stored.

    Args:
        times: the names of those that are times; one that is missing is None.

    Raises:
        KeyError, TypeError, ValueError, OverflowError: a field has a value that none can have.
    """
    for name, value in data.items():
        if (types := _TYPES.get(name)) is not None and type(value) not in types:
            raise ValueError(f"{name!r} can't be {str(value)[:80]!r}")
    for name in _NUMBERS:
        if (number := data.get(name)) is not None and not -_HUGE <= number <= _HUGE:
            raise ValueError(f"{name!r} is too large a number")
    if (error := data.get("error")) and not all(isinstance(text, str) for text in error.values()):
        raise ValueError("'error' must have texts")
    if (children := data.get("children")) and not all(type(number) is int for number in children.values()):
        raise ValueError("'children' must have whole numbers")
    read = {name: parse_time(data.get(name)) for name in times}
    if read["created_at"] is None or read["updated_at"] is None:
        raise ValueError("it was never created")
    return {**data, **read, "state": State(data["state"]), "stages": tuple(map(Stage.from_wire, data["stages"]))}
