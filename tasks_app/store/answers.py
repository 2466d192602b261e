"""What the methods of a cache answer, as Django documents it, of whatever a backend or a wrapper around it returns."""

from collections.abc import Collection, Iterable, Mapping
from inspect import iscoroutine
from typing import Any


def find_values(keys: Collection[str], answer: Any) -> dict[str, Any] | None:
    """Return the values that a `get_many` of these keys has found.

    Some backends answer with None for what is missing, or with further keys.

    Returns:
        The values by their keys, or None if the answer has other keys alone, such as those that the server knows.
    """
    found = dict(answer or {})
    values = {key: found[key] for key in keys if found.get(key) is not None}
    return None if not values and found.keys() - set(keys) else values


def find_refused(values: Mapping[str, Any], answer: Any) -> list[str]:
    """Return which of these keys a `set_many` has refused.

    Those are named by a list; backends also return nothing, or what their client tells of a success.
    """
    if not isinstance(answer, Iterable) or isinstance(answer, str | bytes | Mapping):
        return []
    named = [name for name in answer if isinstance(name, str)]
    return [key for key in values if any(name.endswith(key) for name in named)]  # it may have a prefix and a version


def refuse_coroutine(name: str, answer: Any) -> Any:
    """Return what a method has answered.

    Raises:
        TypeError: it is a coroutine, which would count as a yes although nothing was stored.
    """
    if iscoroutine(answer):
        answer.close()
        raise TypeError(f"{name!r} of the cache is async; name one in CACHE whose methods are not")
    return answer
