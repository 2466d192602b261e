"""`django.tasks` (Django 6), or the `django-tasks` backport of it (Django 5.2): the one place that knows of both."""

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from django.conf import settings

_PACKAGES = ("django.tasks", "django_tasks")


def _import(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and name.startswith(error.name):
            return None
        raise


_installed = [name for name in _PACKAGES if _import(name)]

#: Is there a task framework at all? A system check says so where there is none.
has_tasks = bool(_installed)


def task_classes() -> tuple[type[Any], ...]:
    """Return the class of a task in each installed framework."""
    return tuple(importlib.import_module(f"{name}.base").Task for name in _installed)


def signal_modules() -> Iterator[ModuleType]:
    """Yield the module of signals of each installed framework; both are in use where a project mixes them.

    The first is that of the framework that our own backends belong to.
    """
    for name in _installed:
        yield importlib.import_module(f"{name}.signals")


def check_backends() -> Iterator[Any]:
    """Yield what the backends of TASKS object to; the backport asks them only where it is an installed app."""
    if _installed[0] == "django_tasks" and "django_tasks" not in settings.INSTALLED_APPS:
        for backend in importlib.import_module("django_tasks").task_backends.all():
            yield from backend.check()


def normalize_json(value: Any) -> Any:
    """Return `value` as JSON would give it back; TypeError or ValueError if it is not JSON."""
    home = "django.utils.json" if _installed[0] == "django.tasks" else "django_tasks.utils"
    return importlib.import_module(home).normalize_json(value)


def __getattr__(name: str) -> Any:
    """Look up what only backends need, so that this app imports without any task framework."""
    homes = {
        "Task": "base",
        "TaskContext": "base",
        "TaskResult": "base",
        "TaskResultStatus": "base",
        "TaskError": "base",
        "BaseTaskBackend": "backends.base",
        "TaskResultDoesNotExist": "exceptions",
    }
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not _installed:
        raise ImportError("tasks_app's backends need Django 6, or the django-tasks package on Django 5.2")
    return getattr(importlib.import_module(f"{_installed[0]}.{homes[name]}"), name)
