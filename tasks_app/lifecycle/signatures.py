"""The signatures of tasks, which the arguments of a start must fit before anything is enqueued."""

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from ..exceptions import InvalidArguments, describe
from .frameworks import get_framework


def check_arguments(task: Any, kwargs: Mapping[str, Any]) -> None:
    """Check that JSON values fit the parameters of a task, by name and, for plain annotations, by type.

    Raises:
        InvalidArguments: an argument is missing, unexpected or of the wrong type; the message names it.
    """
    parameters, takes_context = _get_parameters(task)
    takes_any = any(item.kind is item.VAR_KEYWORD for item in parameters.values())
    named = {
        name: item for name, item in parameters.items() if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)
    }
    # Never arguments of a task: `enqueue(self=…)` is a TypeError even if the task takes any `**kwargs`.
    reserved = ("self", "context") if takes_context else ("self",)
    for name, value in kwargs.items():
        if name in reserved or not (takes_any or name in named):
            raise InvalidArguments(f"unexpected argument {describe(name)}; allowed: {sorted(named)!r}")
        if name in named:
            _check_type(name, value, named[name].annotation)
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for name, item in parameters.items():
        if item.default is item.empty and item.kind not in variadic and name not in kwargs:
            raise InvalidArguments(f"missing argument {name!r}")


def check_call(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Check that the arguments of a call in Python fit the parameters of a task.

    Raises:
        InvalidArguments: an argument is missing or unexpected; the message names it.
        TypeError: the signature of the task is not known.
    """
    parameters, _ = _get_parameters(task)
    try:
        inspect.Signature(list(parameters.values())).bind(*args, **kwargs)
    except TypeError as error:
        raise InvalidArguments(str(error)) from None


def _get_parameters(task: Any) -> tuple[dict[str, inspect.Parameter], bool]:
    return _read_parameters(*get_framework(task).unwrap(task))


@lru_cache(1000)
def _read_parameters(function: Any, takes_context: bool) -> tuple[dict[str, inspect.Parameter], bool]:
    parameters = dict(inspect.signature(function).parameters)
    if takes_context:
        del parameters[next(iter(parameters))]
    namespace = getattr(inspect.unwrap(function), "__globals__", {})
    named = {name: item.replace(annotation=_evaluate(item.annotation, namespace)) for name, item in parameters.items()}
    return named, takes_context


def _evaluate(annotation: Any, namespace: dict[str, Any]) -> Any:
    """Return an annotation's type; empty, so that nothing is checked, if it is none that can be evaluated."""
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    try:
        return typing.get_type_hints(holder, namespace)["it"]
    except Exception:  # an annotation may be any text: prose, or a name that is imported only for type checkers
        return inspect.Parameter.empty


#: The types that a JSON value may have, by the annotation of its parameter; other annotations are not checked.
_JSON_TYPES: Mapping[Any, tuple[type, ...]] = {
    int: (int,),
    float: (int, float),
    str: (str,),
    bool: (bool,),
    list: (list,),
    dict: (dict,),
    types.NoneType: (types.NoneType,),
}


def _check_type(name: str, value: object, annotation: Any) -> None:
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    choices = [typing.get_origin(item) or item for item in (typing.get_args(annotation) if is_union else [annotation])]
    kinds = [_find_json_types(choice) for choice in choices]
    # `isinstance` would take a bool for an int; JSON does not.
    if all(kinds) and type(value) not in chain.from_iterable(kinds):
        wanted = " or ".join(sorted("null" if item is types.NoneType else item.__name__ for item in choices))
        raise InvalidArguments(f"argument {name!r} must be {wanted}, not {describe(value)}")


def _find_json_types(annotation: object) -> tuple[type, ...]:
    """Return the types of the JSON values that an annotation allows; none if all are.

    It is any object, which may refuse to be hashed or compared.
    """
    return next((types for known, types in _JSON_TYPES.items() if known is annotation), ())
