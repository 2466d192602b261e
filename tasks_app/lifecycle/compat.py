"""Access to `django.tasks` (Django 6) and its backport `django-tasks` (Django 5.2), whichever is installed."""

import importlib
from collections.abc import Callable, Iterator
from functools import cache
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

#: Whether any task framework is installed; a system check reports if none is.
has_tasks = bool(_installed)


@cache
def task_classes() -> tuple[type[Any], ...]:
    """Return the task class of each installed framework."""
    return tuple(importlib.import_module(f"{name}.base").Task for name in _installed)


def missing_result_errors() -> tuple[type[Exception], ...]:
    """Return the exception of each installed framework for a result that its backend does not have."""
    return tuple(importlib.import_module(f"{name}.exceptions").TaskResultDoesNotExist for name in _installed)


def signal_modules() -> Iterator[ModuleType]:
    """Yield the signals module of each installed framework; a project may use both.

    The first belongs to the framework of this app's own backends.
    """
    for name in _installed:
        yield importlib.import_module(f"{name}.signals")


def check_backends() -> Iterator[Any]:
    """Yield the check messages of the backends of TASKS, unless the framework yields them itself.

    The backport does so only if it is in INSTALLED_APPS.
    """
    if _installed[0] == "django_tasks" and "django_tasks" not in settings.INSTALLED_APPS:
        for backend in importlib.import_module("django_tasks").task_backends.all():
            yield from backend.check()


def normalize_json(value: Any) -> Any:
    """Return `value` as it is after a round trip through JSON.

    Raises:
        TypeError, ValueError: `value` is not JSON.
    """
    return _find_normalizer()(value)


@cache
def _find_normalizer() -> Callable[[Any], Any]:
    home = "django.utils.json" if _installed[0] == "django.tasks" else "django_tasks.utils"
    normalize: Callable[[Any], Any] = importlib.import_module(home).normalize_json
    return normalize


def __getattr__(name: str) -> Any:
    """Import a name that only backends need, so that this app loads without any task framework."""
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
    found = getattr(importlib.import_module(f"{_installed[0]}.{homes[name]}"), name)
    return globals().setdefault(name, found)  # from now on it is found without a call
