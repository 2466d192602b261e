"""The examples of the demo: for each a page, the task that it starts, and the code of its job."""

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.template import engines

from . import tasks
from .imports import import_customers
from .simulation import get_maximum, simulate_work


@dataclass(frozen=True, kw_only=True)
class Field:
    """A number that a visitor may choose: `count` is the number of tasks, any other name an argument of the task."""

    name: str
    label: str
    value: int
    minimum: int
    maximum: int
    step: str = "1"


@dataclass(frozen=True, kw_only=True)
class Example:
    """A page with a form, and the task that it starts.

    Attributes:
        task: a name in STARTABLE.
        job: the function that does the work of the task.
        component: a line of template code that shows a task, with the variables `task_id` and `label`.
        label: the text before the number of each task; empty if `component` has its own.
        takes_files: whether a visitor may send a file.
    """

    slug: str
    name: str
    title: str
    sentence: str
    task: str
    fields: tuple[Field, ...]
    job: Callable[..., Any]
    component: str
    label: str = ""
    takes_files: bool = False

    @property
    def code(self) -> str:
        """The source of the job, without its docstring and its decorators."""
        return _read_code(self.job)

    @property
    def file(self) -> str:
        """The path of the file with the job."""
        return self.job.__module__.replace(".", "/") + ".py"

    @property
    def is_compact(self) -> bool:
        """Whether several components fit side by side."""
        return "compact=True" in self.component

    @property
    def template(self) -> Any:
        """The template of the component, to be included for each task."""
        return make_template(self.component)


@cache
def make_template(component: str) -> Any:
    """Return the template with this line of template code."""
    return engines["django"].from_string("{% load tasks_app %}" + component)


def choose_seconds(value: int) -> Field:
    """Return the field for the duration of a task, with the default `value` in seconds."""
    return Field(name="duration", label="Seconds", value=value, minimum=0, maximum=get_maximum(), step="any")


def choose_count(value: int) -> Field:
    """Return the field for the number of tasks, with the default `value`."""
    return Field(name="count", label="Tasks", value=value, minimum=1, maximum=settings.DEMO_MAX_COUNT)


@cache
def _read_code(job: Callable[..., Any]) -> str:
    source = inspect.getsource(job)
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    lines = source.splitlines()
    if ast.get_docstring(function) is not None:
        docstring = function.body.pop(0)
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines[function.lineno - 1 :])


#: The examples by slug, in the order of the menu.
EXAMPLES: Mapping[str, Example] = {
    example.slug: example
    for example in (
        Example(
            slug="one",
            name="One",
            title="Start one",
            sentence="A job says how far it is, and one tag in the template shows it.",
            task="simulate",
            fields=(choose_seconds(10),),
            job=simulate_work,
            component='{% task_progress task_id label="Simulation" %}',
        ),
        Example(
            slug="five",
            name="Five",
            title="Start five",
            sentence="Each task has a component of its own; they share one connection.",
            task="simulate",
            fields=(choose_seconds(10), choose_count(5)),
            job=simulate_work,
            component="{% task_progress task_id label=label %}",
            label="Simulation",
        ),
        Example(
            slug="import",
            name="Import",
            title="Import a file",
            sentence="Each stage of the job is a segment of the bar, as wide as its share of the work.",
            task="import_sample",
            fields=(Field(name="rows", label="Rows", value=100_000, minimum=1, maximum=tasks.MAX_SAMPLE_ROWS),),
            job=import_customers,
            component="{% task_progress task_id cancel=True %}",
            takes_files=True,
        ),
        Example(
            slug="fail",
            name="Fail",
            title="Fail",
            sentence="An exception ends the task where it is; visitors read its message only while DEBUG is on.",
            task="train_model",
            fields=(choose_seconds(6),),
            job=tasks.train_model.func,
            component='{% task_progress task_id label="Train model" %}',
        ),
        Example(
            slug="cancel",
            name="Cancel",
            title="Cancel",
            sentence="A task that is asked to stop does so at its next step, and may clean up before.",
            task="archive_photos",
            fields=(choose_seconds(60),),
            job=tasks.archive_photos.func,
            component='{% task_progress task_id label="Archive photos" cancel=True logs=True %}',
        ),
        Example(
            slug="indeterminate",
            name="Indeterminate",
            title="Indeterminate",
            sentence="Where nobody knows the total the bar has no end, but the count still grows.",
            task="scan_folders",
            fields=(choose_seconds(8),),
            job=tasks.scan_folders.func,
            component='{% task_progress task_id label="Scan folders" %}',
        ),
        Example(
            slug="log",
            name="Log",
            title="Keep a log",
            sentence="What does not fit into one line goes into the log of the task.",
            task="write_report",
            fields=(choose_seconds(10),),
            job=tasks.write_report.func,
            component='{% task_progress task_id label="Write report" logs=True %}',
        ),
        Example(
            slug="many",
            name="Many",
            title="Start fifty",
            sentence="Fifty bars, and still one connection.",
            task="simulate",
            fields=(choose_seconds(20), choose_count(50)),
            job=simulate_work,
            component="{% task_progress task_id label=label compact=True %}",
            label="Job",
        ),
        Example(
            slug="batch",
            name="Batch",
            title="Start a batch",
            sentence="Tasks that a task starts are its children: one bar shows all of them.",
            task="develop_photos",
            fields=(
                Field(name="photos", label="Photos", value=40, minimum=1, maximum=tasks.MAX_PHOTOS),
                choose_seconds(5),
            ),
            job=tasks.develop_photos.func,
            component='{% task_progress task_id label="Develop photos" cancel=True children=True %}',
        ),
    )
}
