"""The arguments of a job as text for staff: cut, without secrets, and without calling any code of theirs."""

import datetime
import inspect
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from ..conf import get_settings
from ..snapshot import Argument
from ..utils.json import mend_text

#: What stands for a value whose name says that it is secret.
MASK = "********"

#: The most arguments shown, the most items of one of their containers, and how deep containers are shown.
MAX_ARGUMENTS, MAX_ITEMS, MAX_DEPTH = 50, 10, 3

#: The most characters shown of an argument, and of one text in it.
MAX_VALUE_LENGTH, MAX_TEXT_LENGTH = 500, 200

#: Python refuses to write integers of many more digits.
MAX_BITS = 10_000

#: The items of a pair, whose first one may be a name, as in the headers of a request.
PAIR = 2

#: The types whose `repr` is Python's own: that of others may query a database, or show a secret.
PLAIN = {
    bool,
    complex,
    Decimal,
    datetime.date,
    datetime.datetime,
    datetime.time,
    datetime.timedelta,
    float,
    type(None),
    uuid.UUID,
}

#: The brackets of the containers whose items are shown.
BRACKETS: Mapping[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}


class Call(NamedTuple):
    """The call of a job by a framework: the function, and its arguments but for a context that it takes first."""

    function: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    takes_context: bool = False


def describe_call(call: Call) -> tuple[Argument, ...]:
    """Return the arguments of a job; HIDDEN_ARGUMENTS says which are masked, by the names of its parameters."""
    named = [*zip(_name_positional(call), call.args, strict=False), *call.kwargs.items()]
    return tuple(Argument(mend_text(str(name)), _describe_named(name, value)) for name, value in named[:MAX_ARGUMENTS])


def _name_positional(call: Call) -> Iterator[str]:
    """Yield names for positional arguments without end: those of the parameters, then that of `*args`, if known."""
    parameters = _read_parameters(call.function)
    rest = next((f"*{item.name}" for item in parameters if item.kind is item.VAR_POSITIONAL), "")
    named = (item.name for item in parameters if item.kind in (item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD))
    yield from islice(named, int(call.takes_context), None)
    while True:
        yield rest


def _read_parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # that of some built-in functions is not known
        return []


def _describe_named(name: object, value: object) -> str:
    return MASK if _is_secret(name) else _cut(_describe(value, MAX_DEPTH), MAX_VALUE_LENGTH)


def _is_secret(name: object) -> bool:
    text = name.decode("latin-1") if isinstance(name, bytes) else name
    return isinstance(text, str) and re.search(get_settings().HIDDEN_ARGUMENTS, text, re.IGNORECASE) is not None


def _describe(value: object, depth: int) -> str:
    kind = type(value)
    if kind in PLAIN:
        return repr(value)
    if isinstance(value, str | bytes) and kind in (str, bytes):
        return repr(value[:MAX_TEXT_LENGTH]) + ("…" if len(value) > MAX_TEXT_LENGTH else "")
    if isinstance(value, int) and kind is int:
        return repr(value) if value.bit_length() <= MAX_BITS else f"<int of {value.bit_length()} bits>"
    if isinstance(value, dict) and kind is dict:
        return "{" + _join(_describe_items(value, depth), len(value)) + "}" if depth else "{…}"
    if isinstance(value, list | tuple | set | frozenset) and kind in BRACKETS:
        return _describe_sequence(value, depth)
    return f"<{kind.__module__}.{kind.__qualname__}>"


def _describe_sequence(values: Any, depth: int) -> str:
    opening, closing = BRACKETS[type(values)]
    if not depth:
        return f"{opening}…{closing}"
    if type(values) is tuple and len(values) == 1:
        closing = ",)"
    if type(values) in (list, tuple) and len(values) == PAIR and _is_secret(values[0]):
        return f"{opening}{_describe(values[0], depth - 1)}, {MASK}{closing}"
    return opening + _join((_describe(value, depth - 1) for value in values), len(values)) + closing


def _describe_items(values: Mapping[Any, Any], depth: int) -> Iterator[str]:
    for key, value in values.items():
        yield f"{_describe(key, depth - 1)}: {MASK if _is_secret(key) else _describe(value, depth - 1)}"


def _join(texts: Iterable[str], count: int) -> str:
    shown = [*islice(texts, MAX_ITEMS), *(["…"] if count > MAX_ITEMS else [])]
    return ", ".join(shown)


def _cut(text: str, length: int) -> str:
    return mend_text(text if len(text) <= length else f"{text[:length]}…")
