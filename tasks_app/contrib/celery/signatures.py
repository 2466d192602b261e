"""The tasks in signatures of Celery, which messages and canvases consist of. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

#: The message header with the name, the owner and the label of a task, which the cache may lose.
HEADER = "tasks_app"

#: The tasks of Celery's own that call the function of another task for each of many items.
MAPS = ("celery.map", "celery.starmap")

#: The kinds of signatures that consist of others, which they hold in their arguments.
_COMPOUNDS = {"chain": ("tasks",), "group": ("tasks",), "chord": ("header", "body")}


class FoundTask(NamedTuple):
    """A task in a signature.

    Attributes:
        kind: the name by which a worker knows it, where `name` is that for people.
        label: whatever its caller has set.
    """

    id: str
    kind: str
    name: str
    label: Any


def find_tasks(signatures: Iterable[Any]) -> Iterator[FoundTask]:
    """Yield each task in these signatures that has an id, callbacks included."""
    for item in signatures:
        if isinstance(item, list | tuple):
            yield from find_tasks(item)
        elif item:
            yield from _find_tasks(item)


def name_task(name: str, kwargs: Any) -> str:
    """Return the name of the task that a map or starmap calls, and that of any other task as it is."""
    mapped = kwargs.get("task") if name in MAPS and isinstance(kwargs, Mapping) else None
    return str(mapped["task"]) if isinstance(mapped, Mapping) and mapped.get("task") else name


def read_label(options: Mapping[str, Any]) -> Any:
    """Return the label in the options of a signature, or None; its caller may have set anything."""
    return ((options.get("headers") or {}).get(HEADER) or {}).get("label")


def _find_tasks(signature: Mapping[str, Any]) -> Iterator[FoundTask]:
    options, compound = signature.get("options") or {}, signature.get("subtask_type")
    kwargs = signature.get("kwargs") or {}
    if compound in _COMPOUNDS:
        yield from find_tasks(kwargs.get(name) for name in _COMPOUNDS[compound])
    elif task_id := options.get("task_id"):
        kind = signature["task"]
        yield FoundTask(task_id, kind, name_task(kind, kwargs), read_label(options))
    yield from find_tasks(options.get(name) for name in ("chain", "chord", "link"))
