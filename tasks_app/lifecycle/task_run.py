"""`task_run`, the context manager that tracks any code as a task."""

import asyncio
from types import TracebackType

from asgiref.sync import sync_to_async
from django.utils.crypto import get_random_string

from ..reporting import Progress, Reporter, bind, get_flusher, release
from ..snapshot import Snapshot
from .announce import begin_announced, check_task_id, make_known
from .identity import Identity


class task_run:  # noqa: N801 - used like a function
    """A context manager that tracks any code as a task: `with task_run("nightly-import") as progress:`.

    `async with` works as well. The task ends as `succeeded` (also after `sys.exit(0)`), as `cancelled` if the block
    raises `TaskCancelled` or is interrupted, else as `failed`. Exceptions of the block reach the caller.

    Args:
        name: the name of the task, shown to viewers.
        owner: the user that owns the task (a saved user or a primary key), as for `start()`; None also takes the owner
            with whom the task was announced.
        label: what people call this task, where its name is not enough; viewers see at most 200 characters. None
            leaves one that was announced as it is.
        task_id: the id that `announce` returned, or another; None for a random one. A task that has ended is run once
            more, as its next attempt.

    Raises:
        ValueError: `owner` or `task_id` can't be one.
        RuntimeError: the same object is entered again before it is left.
        TaskIdTaken: when it is entered, a task with this id runs, waits for another executor, or has another owner.
        TaskCancelled: when it is entered, the announced task was cancelled.
    """

    def __init__(self, name: str, owner: object = None, *, label: object = None, task_id: str | None = None) -> None:
        self._name = str(name)
        self._identity = Identity.make(owner, label)
        self._is_owner_named = owner is not None
        self._task_id = check_task_id(task_id)
        self._reporter: Reporter | None = None

    def __enter__(self) -> Progress:
        self._check_is_free()
        return self._enter(self._begin())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reporter, self._reporter = self._reporter, None
        assert reporter is not None
        release(self)
        if error is None or (isinstance(error, SystemExit) and not error.code):
            reporter.succeed()
        elif isinstance(error, KeyboardInterrupt):
            reporter.end_cancelled()
        else:
            reporter.fail(error)

    async def __aenter__(self) -> Progress:
        self._check_is_free()
        if self._task_id is None:
            return self._enter(self._begin())
        begun = asyncio.ensure_future(sync_to_async(self._begin, thread_sensitive=False)())  # it reads the cache
        try:
            return self._enter(await asyncio.shield(begun))
        except asyncio.CancelledError:
            begun.add_done_callback(_end_unentered)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def _check_is_free(self) -> None:
        if self._reporter is not None:
            raise RuntimeError(f"{self._name!r} runs already; use another task_run for the inner block")

    def _begin(self) -> Reporter:
        if self._task_id is not None:
            known = make_known(self._name, self._identity, self._task_id)
            return begin_announced(known, is_owner_named=self._is_owner_named)
        flusher = get_flusher()
        now, (_, owner, label, _) = flusher.clock.now(), self._identity
        snapshot = Snapshot.queued(get_random_string(32), self._name, now=now, owner=owner, label=label)
        reporter = flusher.make_reporter(snapshot)
        reporter.begin()
        flusher.enlist(snapshot)
        flusher.add(reporter)
        return reporter

    def _enter(self, reporter: Reporter) -> Progress:
        self._reporter = reporter
        reporter.opener, reporter.outer = self, bind(reporter)
        return reporter.progress


def _end_unentered(begun: "asyncio.Future[Reporter]") -> None:
    """End a task whose block is not entered, since its caller was cancelled while a thread began it."""
    if not begun.cancelled() and begun.exception() is None:
        begun.result().end_cancelled()
