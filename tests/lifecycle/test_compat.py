"""`django.tasks` and its backport: whichever is installed, this app knows its classes and signals."""

import importlib
import importlib.util
import sys
from types import ModuleType

import pytest

from tasks_app.lifecycle import compat, receivers
from tests.support import jobs


def test_this_environment_has_a_framework():
    assert compat.has_tasks


def test_task_is_an_instance_of_a_known_class():
    assert isinstance(jobs.add, compat.task_classes())


def test_signals_of_each_framework_are_followed():
    for module in compat.signal_modules():
        for name in ("task_enqueued", "task_started", "task_finished"):
            keys = [receiver[0][0] for receiver in getattr(module, name).receivers]
            assert "tasks_app" in keys


def test_first_framework_is_that_of_our_backend():
    first = next(compat.signal_modules()).__name__.partition(".")[0]
    assert compat.BaseTaskBackend.__module__.startswith(first)
    assert type(jobs.add.get_backend()).__mro__[1] is compat.BaseTaskBackend


@pytest.mark.parametrize(
    "name", ["Task", "TaskContext", "TaskResult", "TaskResultStatus", "TaskError", "TaskResultDoesNotExist"]
)
def test_names_of_the_framework_are_found(name):
    assert getattr(compat, name).__name__ == name


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = compat.Nothing


def test_values_are_normalized_as_the_framework_does():
    assert compat.normalize_json({"a": (1, b"x")}) == {"a": [1, "x"]}
    with pytest.raises(TypeError):
        compat.normalize_json(object())


@pytest.fixture
def bare(monkeypatch) -> ModuleType:
    """The module as it is where neither framework is installed."""
    for name in [*sys.modules]:
        if name.partition(".")[0] == "django_tasks" or name == "django.tasks" or name.startswith("django.tasks."):
            monkeypatch.delitem(sys.modules, name)
    for name in ("django.tasks", "django_tasks"):
        monkeypatch.setitem(sys.modules, name, None)
    return load()


def load() -> ModuleType:
    """Import the module once more, beside the one that is in use."""
    spec = importlib.util.find_spec("tasks_app.lifecycle.compat")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_app_without_any_framework_has_none(bare):
    assert (bare.has_tasks, bare.task_classes(), list(bare.signal_modules())) == (False, (), [])


def test_app_without_any_framework_connects_to_nothing(bare, monkeypatch):
    monkeypatch.setattr(receivers, "compat", bare)
    receivers.connect()


def test_backend_without_any_framework_says_what_to_install(bare):
    with pytest.raises(ImportError, match="django-tasks"):
        _ = bare.BaseTaskBackend


def test_framework_that_is_broken_is_not_taken_for_absent(monkeypatch):
    """What it imports in vain is said, not hidden."""

    def fail(name: str) -> None:
        raise ModuleNotFoundError("No module named 'something_else'", name="something_else")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(ModuleNotFoundError, match="something_else"):
        load()
