"""The calls of a batch, all checked before anything is enqueued."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from ..conf import get_settings
from ..exceptions import InvalidArguments, describe
from . import compat
from .children import check_weight
from .frameworks import DjangoTasks, Framework
from .signatures import check_call


class Call(NamedTuple):
    """The arguments of one task of a batch."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any]


def read_calls(framework: Framework, task: Any, calls: Iterable[Any]) -> list[Call]:
    """Return the calls of a batch.

    Raises:
        InvalidArguments: a call does not fit the signature of the task; the message has its number, from 0 on.
        TypeError: the task is a signature, which has arguments of its own, or `calls` is not iterable.
        ValueError: there are more than MAX_CHILDREN.
    """
    framework.unwrap(task)
    _check_iterable("calls", calls)
    limit = get_settings().MAX_CHILDREN
    read = [_read_call(number, call) for number, call in enumerate(islice(calls, limit + 1))]  # it may have no end
    if len(read) > limit:
        raise ValueError(f"there are more than {limit!r} calls, which MAX_CHILDREN allows")
    for number, item in enumerate(read):
        _check(framework, task, number, item)
    return read


def read_weights(weights: Iterable[float] | None, number: int) -> list[float]:
    """Return the weight of each call.

    Raises:
        TypeError: `weights` is not iterable.
        ValueError: one is no finite number above 0, or there is not one for each call.
    """
    if weights is None:
        return [1] * number
    _check_iterable("weights", weights)
    read = [check_weight(weight) for weight in islice(weights, number + 1)]  # they may have no end
    if len(read) != number:
        given = "more" if len(read) > number else repr(len(read))
        raise ValueError(f"weights must have one number for each of {number!r} calls, not {given}")
    return read


def _check_iterable(name: str, value: object) -> None:
    if not isinstance(value, Iterable):
        raise TypeError(f"{name} must be an iterable, not {describe(value)}")


def _read_call(number: int, call: object) -> Call:
    match call:
        case [tuple() | list() as args, dict() as kwargs] if len(call) == 2:
            return Call(tuple(args), kwargs)
        case dict():
            return Call((), call)
        case tuple() | list():
            return Call(tuple(call), {})
    wanted = "a tuple of arguments, a dict of keywords, or a pair of both"
    raise InvalidArguments(f"calls[{number!r}] must be {wanted}, not {describe(call)}")


def _check(framework: Framework, task: Any, number: int, call: Call) -> None:
    try:
        check_call(task, call.args, call.kwargs)
        if isinstance(framework, DjangoTasks):
            compat.normalize_json([list(call.args), dict(call.kwargs)])
    except InvalidArguments as error:
        raise InvalidArguments(f"calls[{number!r}]: {error}") from None
    except (TypeError, ValueError) as error:
        raise InvalidArguments(
            f"calls[{number!r}] can't be stored as JSON: {error}; it is {describe(call)}"
        ) from error
