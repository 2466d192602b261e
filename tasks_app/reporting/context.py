"""`progress`, the proxy for the task that runs in this thread or coroutine."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from ..utils.lazy import call_after_fork
from .progress import Progress
from .reporter import Reporter


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
        reporter = _bound.get()
        return f"<progress of task {reporter.task_id!r}>" if reporter else "<progress outside a task>"


class NullProgress(Progress):
    """The target of `progress` outside a task: every call is a harmless no-op."""

    def __init__(self) -> None:
        self.task_id = ""

    def update(self, **values: Any) -> None:
        pass

    def advance(self, n: float = 1) -> None:
        pass

    def track(self, iterable: Any, **options: Any) -> Any:
        return iterable

    def stages(self, weights: Mapping[str, float]) -> None:
        pass

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        yield

    def meta(self, **values: Any) -> None:
        pass

    def log(self, text: object, level: str = "info") -> None:
        pass

    @property
    def cancelled(self) -> bool:
        return False

    def raise_if_cancelled(self) -> None:
        pass


def bind(reporter: Reporter | None) -> Reporter | None:
    """Bind `progress` to a task in this context, or to none; return the previous reporter."""
    before = _bound.get()
    _bound.set(reporter)
    return before


def get_bound() -> Reporter | None:
    """Return the reporter of the task that `progress` is bound to in this context, or None."""
    return _bound.get()


def _forward(name: str) -> property:
    return property(lambda proxy: getattr(_NULL if (bound := _bound.get()) is None else bound.progress, name))


def _was_forwarded(name: str, value: object) -> bool:
    """Return whether `value` came from a task through the property `name`, in this context or another."""
    if isinstance(getattr(value, "__self__", None), Progress):
        return True
    return bool(value == _forward(name).fget(progress))  # type: ignore[misc]


def _unbind() -> None:
    """Make `progress` a no-op in a child that a job forks, since only one process writes a task."""
    _bound.set(None)


_bound: ContextVar[Reporter | None] = ContextVar("tasks_app_progress", default=None)
_NULL = NullProgress()

for _name in dir(_NULL):
    if not _name.startswith("_"):
        setattr(CurrentProgress, _name, _forward(_name))

call_after_fork(_unbind)

#: The task that runs in this thread or coroutine.
progress = cast(Progress, CurrentProgress())
