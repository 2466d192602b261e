"""The tasks that have a name in STARTABLE."""

from typing import Any

from django.utils.module_loading import import_string

from ..conf import get_settings
from ..exceptions import UnknownTask
from ..utils.lazy import per_process
from .frameworks import get_framework


def resolve(name: str) -> Any:
    """Return the task that has this name in STARTABLE.

    Raises:
        UnknownTask: `name` is not in STARTABLE.
        ImportError: its dotted path can't be imported; a system check reports that.
        TypeError: its dotted path is not that of a task; a system check reports that.
    """
    startable = get_settings().STARTABLE
    if name not in startable:
        raise UnknownTask(name)
    return _import_task(startable[name])


def _import_task(path: str) -> Any:
    imported = _get_imported()
    if path not in imported:
        task = import_string(path)
        get_framework(task).unwrap(task)
        imported[path] = task
    return imported[path]


@per_process("TASKS_APP", "TASKS")
def _get_imported() -> dict[str, Any]:
    return {}
