"""Values without the text of the exceptions in them, for people who may not read that."""

import asyncio
import gc
from collections import deque
from collections.abc import Mapping
from concurrent import futures
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from pathlib import PurePath
from traceback import TracebackException
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType, NoneType, TracebackType
from typing import Any
from uuid import UUID

#: Whose text has that of an exception.
_ERRORS = (BaseException, TracebackException, asyncio.Future, futures.Future)

#: What holds no exception, or does not show it.
_PLAIN = (
    *(NoneType, str, bytes, bytearray, int, float, complex, Decimal, date, time, timedelta, tzinfo, UUID, PurePath),
    *(type, ModuleType, FunctionType, BuiltinFunctionType, CodeType, FrameType, TracebackType),
)

_CONTAINERS = (dict, list, tuple, set, frozenset, deque)

#: How many objects are looked at, and how deep in attributes of attributes: what holds more is not looked through.
_MOST, _DEEPEST = 5000, 4

#: The deepest nesting of containers that are shown in part.
_DEEPEST_CONTAINER = 20


def hide_errors(value: Any, *, level: int = 0) -> Any:
    """Return a value with each exception in it as the name of its type.

    Containers are copied; an object that holds an exception is also shown as its type. No code of the value is called.
    """
    kind = type(value)
    if issubclass(kind, _PLAIN) or not _holds_error(value):
        return value
    if level < _DEEPEST_CONTAINER and issubclass(kind, Mapping):
        return {hide_errors(name, level=level + 1): hide_errors(item, level=level + 1) for name, item in value.items()}
    if level < _DEEPEST_CONTAINER and issubclass(kind, _CONTAINERS):
        items = [hide_errors(item, level=level + 1) for item in value]
        return tuple(items) if issubclass(kind, tuple) else items
    return kind.__name__


def _holds_error(value: object) -> bool:
    """Return whether an exception is, or may be, in a value, in what it contains or in its attributes."""
    waiting, seen = deque([(value, 0)]), set[int]()
    while waiting:
        item, depth = waiting.popleft()
        kind = type(item)  # isinstance() would load a lazy object
        if issubclass(kind, _ERRORS):
            return True
        if issubclass(kind, _PLAIN) or id(item) in seen or depth > _DEEPEST:
            continue
        seen.add(id(item))
        inside = gc.get_referents(item)
        if len(seen) + len(inside) > _MOST:
            return True
        step = 0 if issubclass(kind, _CONTAINERS) else 1
        waiting.extend((each, depth + step) for each in inside)
    return False
