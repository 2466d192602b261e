"""Calls with a time limit: nothing that is examined may hold up the doctor."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from django.db import close_old_connections

from ..utils.handover import Handover, NotInTime
from ..utils.lazy import per_process

__all__ = ["CALL_SECONDS", "NotInTime", "call"]

T = TypeVar("T")

#: The longest that a call to a cache may take: longer than the time limits that the documents advise.
CALL_SECONDS = 6.0

#: Calls that hang keep their thread.
MAX_THREADS = 32


def call(function: Callable[..., T], *args: Any, seconds: float = CALL_SECONDS) -> T:
    """Call a function with these arguments in a thread, and return what it returns.

    Raises:
        NotInTime: it has not returned within `seconds`.
        Exception: raised by the function.
    """
    return _get_threads().call(partial(_without_connections, partial(function, *args)), seconds)


@per_process()
def _get_threads() -> Handover:
    return Handover(MAX_THREADS, "tasks_app-doctor")


def _without_connections(function: Callable[[], T]) -> T:
    try:
        return function()
    finally:
        close_old_connections()
