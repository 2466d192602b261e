"""The checks of a canvas before `start()` sends it: viewers can see its parts, and none is somebody else's."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from ...integration import get_settings
from .common import is_left_out
from .signatures import find_ids, find_members


def read_ids(canvas: Any) -> list[str]:
    """Return the ids that the caller of `start()` has chosen in a canvas that can be started.

    Raises:
        ValueError: UNTRACKED leaves out all its tasks, or those with which a part of it begins; or a generator makes
            more than MAX_CHILDREN.
    """
    if not _is_shown(canvas):
        raise ValueError(f"no task of {canvas!r} is tracked, since UNTRACKED says so, so start() could show nothing")
    return list(dict.fromkeys(find_ids([canvas])))


def _is_shown(signature: Mapping[str, Any]) -> bool:
    """Return whether a task of a signature is tracked; an empty canvas has nothing that is not.

    Raises:
        ValueError: a chain or a chord begins with tasks that are not, so that nobody would know of the others.
    """
    if not (members := _read_members(signature)):
        return bool(signature.get("subtask_type") in _KINDS or not is_left_out(signature["task"]))
    shown = [_is_shown(member) for member in members]
    begun = {"chain": shown[:1], "chord": shown[:-1] or shown}.get(signature["subtask_type"], shown)
    if any(shown) and not any(begun):
        raise ValueError(f"{signature!r} begins with tasks that are not tracked, since UNTRACKED says so")
    return any(shown)


_KINDS = {"chain", "chord", "group"}


def _read_members(signature: Mapping[str, Any]) -> list[Any]:
    limit = get_settings().MAX_CHILDREN
    members, tasks = find_members(signature), (signature.get("kwargs") or {}).get("tasks")
    if type(tasks) is list or type(tasks) is tuple:
        return list(members)
    read = list(islice(members, limit + 2))  # a generator may be endless; a chord has a callback
    if len(read) > limit + (signature.get("subtask_type") == "chord"):
        raise ValueError(f"there are more than {limit!r} parts; MAX_CHILDREN allows {limit!r}")
    return read
