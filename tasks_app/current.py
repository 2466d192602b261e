"""`progress`, the proxy for the task that runs in this thread or coroutine, and `task_run`, which makes one."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, cast
from uuid import UUID

from django.utils.crypto import get_random_string

from .flusher import get_flusher
from .reporter import Progress
from .snapshot import Snapshot


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
        task = _bound.get()
        return f"<progress of task {task.task_id!r}>" if task else "<progress outside a task>"


class NullProgress(Progress):
    """What `progress` stands for outside a task: every call is a harmless no-op."""

    def __init__(self) -> None:
        self.task_id = ""
        self.is_cancelled = False

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


class task_run:  # noqa: N801 - used like a function
    """Track any code as a task: `with task_run("nightly-import") as progress:`, or `async with`.

    The task ends as `succeeded` (also by `sys.exit(0)`), as `cancelled` if the block raises `TaskCancelled` or is
    interrupted, else as `failed`; what the block raises goes on to the caller.

    Args:
        name: the task's name, shown to viewers.
        owner: who may see it: a user, a user's primary key, or None for whoever knows the id.

    Raises:
        ValueError: `owner` is none of these.
        RuntimeError: the same object is entered inside itself.
    """

    def __init__(self, name: str, owner: object = None) -> None:
        self._name = str(name)
        self._owner = identify_owner(owner)
        self._progress: Progress | None = None

    def __enter__(self) -> Progress:
        if self._progress is not None:
            raise RuntimeError(f"{self._name!r} runs already; make another task_run for a run inside it")
        flusher = get_flusher()
        now = flusher.clock.now()
        snapshot = Snapshot.queued(get_random_string(32), self._name, now=now, owner=self._owner)
        self._progress = progress = Progress(snapshot, flusher=flusher)
        progress.begin()
        flusher.enlist(snapshot)
        flusher.add(progress)
        progress.outer = bind(progress)
        return progress

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        progress, self._progress = self._progress, None
        assert progress is not None
        bind(progress.outer)
        if error is None or (isinstance(error, SystemExit) and not error.code):
            progress.succeed()
        elif isinstance(error, KeyboardInterrupt):
            progress.end_cancelled()
        else:
            progress.fail(error)

    async def __aenter__(self) -> Progress:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def bind(progress: Progress | None) -> Progress | None:
    """Make this the task of the running context; return the one it was before."""
    before = _bound.get()
    _bound.set(progress)
    return before


def get_bound() -> Progress | None:
    """Return the task of the running context."""
    return _bound.get()


def find_reporter(task_id: str) -> Progress | None:
    """Return the reporter of a task that runs, or waits, in this process."""
    return cast("Progress | None", get_flusher().find(task_id))


def identify_owner(owner: object) -> str | None:
    """Return what is stored of an owner: the primary key of a user, as text.

    Raises:
        ValueError: a user that was never saved, such as an AnonymousUser, or something else.
    """
    if owner is None:
        return None
    key = getattr(owner, "pk", owner if isinstance(owner, str | int | UUID) else None)
    if key is None:
        raise ValueError(f"owner must be None, a saved user or a primary key, not {owner!r}")
    return str(key)


def _forward(name: str) -> property:
    return property(lambda proxy: getattr(_bound.get() or _NULL, name))


def _is_own(name: str, value: object) -> bool:
    """Is it what `progress` gave under this name, now or in another context?"""
    return isinstance(getattr(value, "__self__", None), Progress) or value == getattr(_bound.get() or _NULL, name)


_bound: ContextVar[Progress | None] = ContextVar("tasks_app_progress", default=None)
_NULL = NullProgress()

for _name in dir(_NULL):
    if not _name.startswith("_"):
        setattr(CurrentProgress, _name, _forward(_name))

# One process writes a task: in what a job forks, `progress` is a no-op.
os.register_at_fork(after_in_child=lambda: _bound.set(None))

#: The task that runs in this thread or coroutine.
progress = cast(Progress, CurrentProgress())
