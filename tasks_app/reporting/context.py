"""`progress`: a proxy for the task that runs in this thread or coroutine."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from ..utils.lazy import call_after_fork
from .progress import Progress
from .reporter import Reporter


class CurrentProgress:
    """The proxy behind `progress`: whatever public name it is asked for, the task that runs in this context answers.

    The names are properties, set below: through `__getattr__`, `update` would take up to twice as long. A unit test
    may put a double in place of any of them (`mock.patch.object`, `monkeypatch.setattr`), for every task.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not isinstance(getattr(CurrentProgress, name, None), property):
            raise AttributeError(f"progress has no {name!r}")
        vars(self)[name] = value  # mock looks there for what it has to put back
        if _is_own(name, value):  # pytest puts back what it had read, which is of the task of then
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
    """What `progress` stands for outside a task: every call is a harmless no-op."""

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
    """Make a task the one that `progress` stands for in this context; return the one before."""
    before = _bound.get()
    _bound.set(reporter)
    return before


def get_bound() -> Reporter | None:
    """Return the reporter that this context is bound to."""
    return _bound.get()


def _forward(name: str) -> property:
    return property(lambda proxy: getattr(_NULL if (bound := _bound.get()) is None else bound.progress, name))


def _is_own(name: str, value: object) -> bool:
    """Whether `progress` gave this value under this name, in this context or another."""
    if isinstance(getattr(value, "__self__", None), Progress):
        return True
    return bool(value == _forward(name).fget(progress))  # type: ignore[misc]


def _unbind() -> None:
    """Make `progress` a no-op in what a job forks: one process writes a task."""
    _bound.set(None)


_bound: ContextVar[Reporter | None] = ContextVar("tasks_app_progress", default=None)
_NULL = NullProgress()

for _name in dir(_NULL):
    if not _name.startswith("_"):
        setattr(CurrentProgress, _name, _forward(_name))

call_after_fork(_unbind)

#: The task that runs in this thread or coroutine.
progress = cast(Progress, CurrentProgress())
