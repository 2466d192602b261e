"""The public exceptions, and helpers for values in messages and for cancels."""

import asyncio
import reprlib
from traceback import format_exception


def describe(value: object) -> str:
    """Return `repr(value)`, shortened so that messages stay readable for any input."""
    return _describer.repr(value)


class _Describer(reprlib.Repr):
    """Python's own description of values, and one of whole numbers that have too many digits for it."""

    def repr_int(self, x: int, level: int) -> str:
        """Return the digits of a whole number, or how long it is: Python converts only some thousands of them."""
        try:
            return super().repr_int(x, level)
        except ValueError:
            return f"an int of {x.bit_length()} bits"


_describer = _Describer()
_describer.maxstring = _describer.maxother = 200


def is_cancel(error: BaseException) -> bool:
    """Return whether a job that raised `error` was cancelled; one that raised a group, by all that is in it."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_cancel, error.exceptions))
    return isinstance(error, TaskCancelled | asyncio.CancelledError)


def format_traceback(error: BaseException) -> str:
    """Return the traceback of an exception as Python prints it."""
    try:
        return "".join(format_exception(error))
    except Exception as failure:
        # Before 3.13, Python's own parser may fail here when two threads use it at once (CPython issue 106905).
        return f"{type(error).__qualname__} (its traceback can't be shown: {type(failure).__name__})"


class TaskNotFound(LookupError):
    """No task with this id is known: it never existed, or the cache no longer holds it."""


class TaskAlreadyEnded(Exception):
    """The task has reached a terminal state, so it can't be cancelled."""


class TaskCancelled(Exception):
    """A task was asked to stop. Raised in its job; the task then ends as `cancelled`.

    It is an `Exception`, not a `BaseException`, because the latter ends a Celery worker.
    """


class TaskIdTaken(Exception):
    """The id chosen for a task is that of another one, which has not ended or has another owner."""


class TaskQueueFull(Exception):
    """The in-process queue already holds `max_queue` tasks; nothing was enqueued."""


class UnknownTask(LookupError):
    """The name is not a key of the `STARTABLE` setting."""


class InvalidArguments(ValueError):
    """The arguments do not fit the task's signature."""


class BrokerUnavailable(Exception):
    """Celery's broker can't be reached; nothing was enqueued."""


class StoreUnavailable(Exception):
    """The cache that stores the tasks can't be reached, does not answer in time, or refused a write."""
