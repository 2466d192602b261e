"""JSON as the wire and the store want it: one line of ASCII, and not nested so deep that anyone chokes on it. Pure."""

import json
from collections.abc import Iterable
from typing import Any, NoReturn

#: How deep a value may be nested: parsers, and the frameworks that pass it on, walk through it by recursion.
MAX_DEPTH = 100

#: Made once: `json.dumps` with options of its own makes one at each call, which takes longer than to encode a line.
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def encode_json(value: Any) -> str:
    """Return one line of ASCII JSON.

    Raises:
        TypeError, ValueError: `value` is not JSON (NaN and the infinities are not).
    """
    return _ENCODER.encode(value)


def decode_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        TypeError, ValueError, RecursionError: it is not one (NaN and the infinities are not), or nested too deep.
    """
    return _DECODER.decode(text)


def normalize(value: Any) -> tuple[Any, str]:
    """Return a value that came from outside as JSON gives it back, and its text.

    Raises:
        TypeError, ValueError: it is not JSON, or nested deeper than MAX_DEPTH.
    """
    try:
        text = encode_json(value)
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"it is nested too deep; at most {MAX_DEPTH!r} levels") from error
    if is_too_deep(value):
        raise ValueError(f"it is nested too deep; at most {MAX_DEPTH!r} levels")
    return value, text


def is_too_deep(value: object) -> bool:
    """Is this value of lists and dicts nested deeper than MAX_DEPTH?"""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [item for outer in level for item in _get_items(outer)]
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name!r} is not a JSON value")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _get_items(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
