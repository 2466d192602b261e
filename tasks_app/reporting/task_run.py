"""`task_run`, the context manager that tracks any code as a task."""

from types import TracebackType
from uuid import UUID

from django.utils.crypto import get_random_string

from ..snapshot import Snapshot
from .context import bind
from .process import get_flusher
from .progress import Progress
from .reporter import Reporter


class task_run:  # noqa: N801 - used like a function
    """A context manager that tracks any code as a task: `with task_run("nightly-import") as progress:`.

    `async with` works as well. The task ends as `succeeded` (also after `sys.exit(0)`), as `cancelled` if the block
    raises `TaskCancelled` or is interrupted, else as `failed`. Exceptions of the block reach the caller.

    Args:
        name: the name of the task, shown to viewers.
        owner: the user that owns the task (a saved user or a primary key); None: every caller that knows the id may
            see it.

    Raises:
        ValueError: `owner` is none of these.
        RuntimeError: the same object is entered again before it is left.
    """

    def __init__(self, name: str, owner: object = None) -> None:
        self._name = str(name)
        self._owner = identify_owner(owner)
        self._reporter: Reporter | None = None

    def __enter__(self) -> Progress:
        if self._reporter is not None:
            raise RuntimeError(f"{self._name!r} runs already; use another task_run for the inner block")
        flusher = get_flusher()
        now = flusher.clock.now()
        snapshot = Snapshot.queued(get_random_string(32), self._name, now=now, owner=self._owner)
        self._reporter = reporter = flusher.make_reporter(snapshot)
        reporter.begin()
        flusher.enlist(snapshot)
        flusher.add(reporter)
        reporter.outer = bind(reporter)
        return reporter.progress

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reporter, self._reporter = self._reporter, None
        assert reporter is not None
        bind(reporter.outer)
        if error is None or (isinstance(error, SystemExit) and not error.code):
            reporter.succeed()
        elif isinstance(error, KeyboardInterrupt):
            reporter.end_cancelled()
        else:
            reporter.fail(error)

    async def __aenter__(self) -> Progress:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def identify_owner(owner: object) -> str | None:
    """Return the stored form of an owner: a user's primary key as text, or None.

    Raises:
        ValueError: `owner` is an unsaved user, such as an AnonymousUser, or of another type.
    """
    if owner is None:
        return None
    key = getattr(owner, "pk", owner if isinstance(owner, str | int | UUID) else None)
    if key is None:
        raise ValueError(f"owner must be None, a saved user or a primary key, not {owner!r}")
    return str(key)
