"""The exceptions that users of this app may catch, and how their messages name a value."""

import asyncio
import reprlib


def describe(value: object) -> str:
    """Return `repr(value)`, cut so that a message stays readable whatever a client sent."""
    return _describer.repr(value)


_describer = reprlib.Repr()
_describer.maxstring = _describer.maxother = 200


def is_cancel(error: BaseException) -> bool:
    """Whether a job that raised this was stopped by a request to cancel."""
    return isinstance(error, TaskCancelled | asyncio.CancelledError)


class TaskNotFound(LookupError):
    """No task with this id is known: it never was, or its retention has passed."""


class TaskAlreadyEnded(Exception):
    """The task has reached a terminal state, so it can't be cancelled any more."""


class TaskCancelled(Exception):
    """Raised inside a task that was asked to stop; the task then ends as `cancelled`.

    It is an `Exception`, not a `BaseException`, because Celery workers take the latter for a reason to die.
    """


class TaskQueueFull(Exception):
    """The in-process queue holds `max_queue` tasks already; nothing was enqueued."""


class UnknownTask(LookupError):
    """The name is not a key of the `STARTABLE` setting."""


class InvalidArguments(ValueError):
    """The arguments do not fit the signature of the task."""


class BrokerUnavailable(Exception):
    """The broker that carries Celery's tasks can't be reached; nothing was enqueued."""


class StoreUnavailable(Exception):
    """The cache that holds the state of tasks can't be reached."""
