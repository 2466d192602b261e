"""Calls that use the cache, whose failure a command survives, and for which it waits a limited time."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from ..exceptions import TaskAlreadyEnded, TaskNotFound
from ..store import get_store
from ..terminal import Interrupted
from ..utils.handover import Handover, NotInTime
from ..utils.lazy import per_process

T = TypeVar("T")

#: Seconds for which a command waits for the cache, and for the broker of a task that it cancels.
CALL_TIMEOUT = 10.0


def call(function: Callable[..., T], *args: Any) -> T:
    """Call a function that uses the cache; a cache of this process or in a database is called in place.

    Raises:
        TaskNotFound, TaskAlreadyEnded: raised by the function.
        Interrupted: it failed otherwise, or has not returned in time.
    """
    try:
        if not get_store().cache.is_timed:
            return function(*args)
        return _get_handover().call(partial(function, *args), CALL_TIMEOUT)
    except (TaskNotFound, TaskAlreadyEnded):
        raise
    except NotInTime as error:
        raise Interrupted(f"the cache has not answered within {CALL_TIMEOUT:g} s") from error
    except Exception as error:
        raise Interrupted(f"the cache failed: {type(error).__name__}: {error}") from error


@per_process()
def _get_handover() -> Handover:
    return Handover(1, "tasks_app-command")
