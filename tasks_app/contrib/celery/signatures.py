"""The tasks in signatures of Celery, which messages and canvases consist of. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

#: The message header with the name, the owner and the label of a task, which the cache may lose.
HEADER = "tasks_app"

#: The tasks of Celery's own that call the function of another task for each of many items.
MAPS = ("celery.map", "celery.starmap")

#: The task of Celery's own that splits many items among starmaps.
CHUNKS = "celery.chunks"

#: The most tasks in the name of a canvas.
MAX_NAMES = 3

#: The kinds of signatures that consist of others, which they hold in their arguments.
_COMPOUNDS = {"chain": ("tasks",), "group": ("tasks",), "chord": ("header", "body")}


class FoundTask(NamedTuple):
    """A task in a signature.

    Attributes:
        kind: the name by which a worker knows it, where `name` is that for people.
        label: whatever its caller has set.
        parent: the id of its parent, if `link` has set one.
    """

    id: str
    kind: str
    name: str
    label: Any = None
    parent: str | None = None


class FoundCanvas(NamedTuple):
    """A canvas in a signature, and its parts in the order of their start.

    Attributes:
        name: such as "chain of shop.tasks.read, shop.tasks.save".
    """

    id: str
    name: str
    parts: "list[FoundTask | FoundCanvas]"


def find_tasks(signatures: Iterable[Any]) -> Iterator[FoundTask]:
    """Yield each task in these signatures that has an id, callbacks included."""
    for item in signatures:
        if isinstance(item, list | tuple):
            yield from find_tasks(item)
        elif item:
            yield from _find_tasks(item)


def find_ids(signatures: Iterable[Any]) -> Iterator[str]:
    """Yield each id that tasks and canvases in these signatures have, with those of callbacks."""
    for item in signatures:
        if isinstance(item, list | tuple):
            yield from find_ids(item)
        elif isinstance(item, Mapping):
            options = item.get("options") or {}
            if task_id := options.get("task_id"):
                yield task_id
            yield from find_ids(find_members(item))
            yield from find_ids(options.get(name) for name in ("chain", "chord", "link", "link_error"))


def find_members(signature: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the signatures of which one consists: of a chord, its callback last; of a single task, none."""
    kwargs = signature.get("kwargs") or {}
    for name in _COMPOUNDS.get(signature.get("subtask_type") or "", ()):
        item = kwargs.get(name)
        if isinstance(item, list | tuple):
            yield from item
        elif name == "header" and item:  # a group
            yield from find_members(item)
        elif item:
            yield item


def link(signature: Any, parent: str, is_tracked: Callable[[str, str], bool]) -> FoundTask | FoundCanvas | None:
    """Note in each task of a signature what its parent is, so that its message tells that; return what was found.

    Args:
        signature: of which all tasks have ids.
        parent: the id of the parent of the whole signature.
        is_tracked: whether a task with this name and this id is tracked.

    Returns:
        None if no task of it is tracked.
    """
    members = list(find_members(signature))
    if signature.get("subtask_type") not in _COMPOUNDS:
        return _link_task(signature, parent, is_tracked)
    first = next((task.id for task in find_tasks(members)), None)
    if first is None:
        return None
    kind, chosen = signature["subtask_type"], (signature.get("options") or {}).get("task_id")
    canvas_id = chosen if chosen and kind == "group" else f"{first}-{kind}"
    parts = [link(member, canvas_id, is_tracked) for member in members]
    found = FoundCanvas(canvas_id, name_canvas(kind, members), [part for part in parts if part is not None])
    return found if found.parts else None


def find_chain(signature: Mapping[str, Any]) -> list[Any]:
    """Return the signatures of the steps that follow a step of a chain, in their order."""
    return list(reversed((signature.get("options") or {}).get("chain") or []))


def find_bodies(embedded: Mapping[str, Any]) -> list[Any]:
    """Return the signatures of the callbacks for which a task is a member, from the innermost chord to the outermost.

    Args:
        embedded: the part of its message that has the signatures which follow it.
    """
    chain, bodies = embedded.get("chain"), []
    body = embedded.get("chord") or (_find_body(chain[0]) if chain else None)  # the last step comes first
    while body:
        bodies.append(body)
        body = _find_body(body)
    return bodies


def name_canvas(kind: str, parts: Iterable[Any]) -> str:
    """Return the name of a canvas: its kind, and the names of its first tasks.

    Args:
        parts: signatures.
    """
    names = list(dict.fromkeys(name for part in parts for name in _find_names(part)))
    shown = [*names[:MAX_NAMES], *(["…"] if len(names) > MAX_NAMES else [])]
    return f"{kind} of {', '.join(shown)}" if names else kind


def name_task(name: str, kwargs: Any) -> str:
    """Return the name of the task that a map, starmap or chunks call, and that of any other task as it is."""
    mapped = kwargs.get("task") if name in (*MAPS, CHUNKS) and isinstance(kwargs, Mapping) else None
    return str(mapped["task"]) if isinstance(mapped, Mapping) and mapped.get("task") else name


def read_label(options: Mapping[str, Any]) -> Any:
    """Return the label in the options of a signature, or None; its caller may have set anything."""
    return ((options.get("headers") or {}).get(HEADER) or {}).get("label")


def read_parent(header: Mapping[str, Any]) -> str | None:
    """Return the id of the parent in a header of this app, or None."""
    parent = header.get("parent")
    return parent if isinstance(parent, str) else None


def _link_task(signature: Any, parent: str, is_tracked: Callable[[str, str], bool]) -> FoundTask | None:
    options = signature.setdefault("options", {})
    task_id, kind = options.get("task_id"), signature["task"]
    if not task_id or not is_tracked(kind, task_id):
        return None
    headers = options.get("headers") or {}
    options["headers"] = {**headers, HEADER: {**(headers.get(HEADER) or {}), "parent": parent}}
    name = name_task(kind, signature.get("kwargs") or {})
    return FoundTask(task_id, kind, name, read_label(options), parent)


def _find_names(signature: Mapping[str, Any]) -> Iterator[str]:
    if signature.get("subtask_type") in _COMPOUNDS:
        for member in find_members(signature):
            yield from _find_names(member)
    else:
        yield name_task(signature["task"], signature.get("kwargs") or {})


def _find_body(signature: Mapping[str, Any]) -> Any:
    """Return the callback to which the result of a signature goes, as a member of a chord, or None."""
    options = signature.get("options") or {}
    if chain := options.get("chain"):
        return _find_body(chain[0])
    if (body := options.get("chord")) or signature.get("subtask_type") not in _COMPOUNDS:
        return body
    members = list(find_members(signature))
    return _find_body(members[-1]) if members else None


def _find_tasks(signature: Mapping[str, Any]) -> Iterator[FoundTask]:
    options, compound = signature.get("options") or {}, signature.get("subtask_type")
    kwargs = signature.get("kwargs") or {}
    if compound in _COMPOUNDS:
        yield from find_tasks(kwargs.get(name) for name in _COMPOUNDS[compound])
    elif task_id := options.get("task_id"):
        kind = signature["task"]
        header = (options.get("headers") or {}).get(HEADER) or {}
        yield FoundTask(task_id, kind, name_task(kind, kwargs), read_label(options), read_parent(header))
    yield from find_tasks(options.get(name) for name in ("chain", "chord", "link"))
