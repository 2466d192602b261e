"""The sign by which a process that another has started knows that this one ran a task then."""

import multiprocessing
from collections.abc import Callable
from typing import Any

#: The name of the sign among what `multiprocessing` hands down.
KEY = "tasks_app"


class Sign:
    """A value that is pickled as whether this process runs a task at that moment.

    Its copy is a plain bool, so that a process in which this app is not installed can be started with it.
    """

    def __init__(self, runs_task: Callable[[], bool]) -> None:
        self._runs_task = runs_task

    def __reduce__(self) -> tuple[Any, ...]:
        return bool, (self._runs_task(),)


def hand_down(runs_task: Callable[[], bool]) -> None:
    """Have the processes that `multiprocessing` starts for this one, by any method but fork, receive a sign.

    Nothing is kept up to date or cleaned up: what the sign says is found out when a process is started, which pickles
    it, and goes to that process alone. The children of a child of a job are of the job as well.
    """
    heritage = _find_heritage()
    if heritage.get(KEY) is not True:
        heritage[KEY] = Sign(runs_task)


def is_started_by_job() -> bool:
    """Return whether the process that has started this one ran a task then; a forked child is told otherwise."""
    return _find_heritage().get(KEY) is True


def _find_heritage() -> dict[str, Any]:
    """Return what each process of `multiprocessing` hands down to its own; it has no public name.

    A Python without it would have no sign.
    """
    heritage: dict[str, Any] = getattr(multiprocessing.current_process(), "_config", {})
    return heritage
