"""`progress`, the proxy for the task that runs in this thread or coroutine."""

from operator import attrgetter
from typing import Any, cast

from ..conf import get_settings
from ..utils.lazy import call_after_fork
from .bars import hook_bars
from .binding import Bound, bound, swap
from .missing import get_missing_task
from .part import Part
from .process import find_reporter
from .progress import Progress
from .reporter import Reporter
from .unbound import NullProgress


class CurrentProgress:
    """The proxy behind `progress`, which forwards each public name to the task that runs in this context.

    The names are properties, set below: through `__getattr__`, `update` would take up to twice as long. A unit test
    may replace any of them (`mock.patch.object`, `monkeypatch.setattr`), for every task.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not isinstance(getattr(CurrentProgress, name, None), property):
            raise AttributeError(f"progress has no {name!r}")
        vars(self)[name] = value  # mock looks here for the value to restore
        if _was_forwarded(name, value):  # monkeypatch restores the value that it read, from the task at that time
            delattr(self, name)
        else:
            setattr(CurrentProgress, name, property(lambda proxy: value))

    def __delattr__(self, name: str) -> None:
        del vars(self)[name]
        setattr(CurrentProgress, name, _forward(name))

    def __repr__(self) -> str:
        target = bound.get()
        return f"<progress of task {target.task_id!r}>" if target else "<progress outside a task>"


class Inherited(NullProgress):
    """The progress of a job, in a child that it has forked: it does as `progress` does there, but its handles work."""

    handle = Progress.handle

    def __getattribute__(self, name: str) -> Any:
        if name not in ("handle", "_home") and not name.startswith("__"):  # what its methods use tells of their calls
            _find_null(name)
        return super().__getattribute__(name)


def bind(target: Bound | None) -> Bound | None:
    """Bind `progress` to a task in this context, or to none; return what was bound before."""
    if target is not None and get_settings().CAPTURE_TQDM:
        hook_bars()
    return swap(target)


def get_bound() -> Reporter | None:
    """Return the reporter of the task that `progress` is bound to in this context, or None.

    It is also None in another process than the job's.
    """
    target = bound.get()
    return target if target is None or isinstance(target, Reporter) else find_reporter(target.task_id)


def get_progress() -> Progress | None:
    """Return what `progress` stands for in this context; None outside a task."""
    target = bound.get()
    return None if target is None else cast(Progress, target.progress)


def _forward(name: str) -> property:
    get, pick = bound.get, attrgetter(f"progress.{name}")  # loops call this, so that nothing is looked up twice

    def find(proxy: object) -> Any:
        target = get()
        return getattr(_find_null(name), name) if target is None else pick(target)

    return property(find)


def _find_null(name: str) -> Progress:
    if name != "task_id":  # by which code asks whether there is a task
        get_missing_task().note()
    return _NULL


def _was_forwarded(name: str, value: object) -> bool:
    """Return whether `value` came from a task through the property `name`, in this context or another."""
    if isinstance(getattr(value, "__self__", None), Progress):
        return True
    return bool(value == _forward(name).fget(progress))  # type: ignore[misc]


def _unbind() -> None:
    """Make `progress` a no-op in a child that a job forks, since only one process writes a task."""
    outer = swap(None)
    while (target := outer) is not None:
        get_missing_task().is_child_of_job = True
        outer = target.outer  # before the change: a part is its own progress, and to read of it would be a report
        if type(made := vars(target).get("progress")) in (Progress, Part):  # else it was never used, or is harmless
            made.__class__ = Inherited


_NULL = NullProgress()

for _name in dir(_NULL):
    if not _name.startswith("_"):
        setattr(CurrentProgress, _name, _forward(_name))

call_after_fork(_unbind)

#: The task that runs in this thread or coroutine.
progress = cast(Progress, CurrentProgress())
