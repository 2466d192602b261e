"""JSON for the wire and the store: one line of ASCII, with limited nesting. Pure."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NoReturn

#: The deepest nesting allowed, since parsers and task frameworks recurse through values.
MAX_DEPTH = 100

#: Created once: with options, `json.dumps` creates one at each call, which takes longer than to encode a line.
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def encode_json(value: Any) -> str:
    """Return `value` as one line of ASCII JSON, with U+FFFD for each lone surrogate, which no page could carry.

    Raises:
        TypeError, ValueError: `value` is not JSON (NaN and the infinities are not).
    """
    text = _ENCODER.encode(value)
    return _ESCAPE.sub(_mend_escape, text) if "\\ud" in text else text


def mend_text(text: str) -> str:
    """Return `text` with U+FFFD for each lone surrogate, as `os.fsdecode` makes them of bytes that are not UTF-8."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def decode_json(text: str) -> Any:
    """Return the value in a JSON text.

    Raises:
        TypeError, ValueError: `text` is not JSON (NaN and the infinities are not).
        RecursionError: it is nested too deep for the parser.
    """
    return _DECODER.decode(text)


def normalize(value: Any) -> tuple[Any, str]:
    """Return `value` as it is after a round trip through JSON, and its text.

    Raises:
        TypeError, ValueError: `value` is not JSON, or is nested deeper than MAX_DEPTH.
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
    """Return whether lists and dicts are nested deeper than MAX_DEPTH in `value`."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [item for outer in level for item in _get_items(outer)]
        if not level:
            return False
    return True


#: Each escape of a JSON text: a pair of surrogates, a lone one, or any other.
_ESCAPE = re.compile(r"\\(?:u(d[89ab]..\\ud[c-f]..)|u(?P<lone>d[89a-f]..)|.)")


def _mend_escape(match: re.Match[str]) -> str:
    return r"\ufffd" if match["lone"] else match[0]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name!r} is not a JSON value")


def _parse_float(text: str) -> float:
    if math.isinf(value := float(text)):
        raise ValueError(f"{text[:20]!r} is too large a number")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_parse_float)


def _get_items(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
