"""The arguments of a Celery task, checked as Celery itself does, but before anything of the task is stored."""

import inspect
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from celery import Task
from celery.canvas import Signature
from kombu.serialization import dumps


def check_arguments(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Check that a task, or the signature of one, can be sent with these arguments.

    Of a task of another project only the name is known, and one with an `apply_async` or a `__call__` of its own,
    or that takes models of pydantic, may change them: what is wrong with these is found when they are sent or run.

    Raises:
        TypeError: they do not fit the parameters of the task, or can't be serialized.
    """
    given = task.clone(args, kwargs) if isinstance(task, Signature) else task.s(*args, **kwargs)
    known = given.app.tasks.get(given.task)
    if known is None or type(known).apply_async is not Task.apply_async:
        return
    if known.typing and type(known).__call__ is Task.__call__:
        _check_fit(known, given)
    if not any(hasattr(value, "model_dump") for value in (*given.args, *given.kwargs.values())):
        _check_serializable(known, given)


def _check_fit(task: Any, given: Any) -> None:
    try:
        _read_signature(task.run).bind(*given.args, **given.kwargs)
    except TypeError as error:
        hint = "; options such as countdown go into a signature: task.s(…).set(countdown=…)" if given.kwargs else ""
        raise TypeError(f"the arguments do not fit task {task.name!r}: {error}{hint}") from None


@lru_cache(1000)
def _read_signature(function: Any) -> inspect.Signature:
    return inspect.signature(function)


def _check_serializable(task: Any, given: Any) -> None:
    try:
        serializer = given.options.get("serializer") or task.serializer
        dumps((tuple(given.args), dict(given.kwargs)), serializer)  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever a serializer raises
        raise TypeError(f"the arguments of task {task.name!r} can't be serialized: {error}") from error
