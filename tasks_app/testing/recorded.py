"""The reports of a job that a test runs."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from asgiref.sync import async_to_sync

from ..reporting import Recorder, bind
from ..snapshot import Snapshot, State


class LogLine(NamedTuple):
    """A line of a task's log."""

    level: str
    text: str


class Recorded:
    """The reports of a job so far; made by `record` and `run`.

    Attributes:
        result: what the job returned, if `run` has called it.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self.result: Any = None

    @property
    def snapshots(self) -> Sequence[Snapshot]:
        """The task at its beginning and after each report; each step of a `track` is one."""
        return self._recorder.snapshots

    @property
    def statuses(self) -> list[str]:
        """The statuses, in order, each change once."""
        return [after.status for before, after in pairwise(self.snapshots) if after.status != before.status]

    @property
    def percents(self) -> list[float]:
        """The percentages of the whole task, in order, each change once; none while the total is unknown."""
        known = [snapshot.percent for snapshot in self.snapshots if snapshot.percent is not None]
        return [percent for percent, _ in groupby(known)]

    @property
    def logs(self) -> list[LogLine]:
        """The lines of the log, as viewers get them; the newest LOG_LINES."""
        return [LogLine(line["level"], line["text"]) for line in self._recorder.lines]

    @property
    def stages(self) -> list[str]:
        """The names of the stages, in the order in which they began."""
        running = [stage.name for item in self.snapshots for stage in item.stages if stage.state is not State.QUEUED]
        return list(dict.fromkeys(running))

    @property
    def meta(self) -> Mapping[str, Any]:
        """The values that the job has set by `progress.meta`."""
        return self.snapshots[-1].meta

    def cancel(self) -> None:
        """Ask the job to stop: its next `track` step or `raise_if_cancelled` raises `TaskCancelled`."""
        self._recorder.request_cancel()


@contextmanager
def record() -> Iterator[Recorded]:
    """Have `progress` stand for a task whose reports are recorded, in this thread or coroutine."""
    recorder = Recorder()
    recorder.outer = bind(recorder)
    try:
        yield Recorded(recorder)
    finally:
        bind(recorder.outer)
        recorder.close()


def run(job: Any, /, *args: Any, **kwargs: Any) -> Recorded:
    """Call a job in this thread until it ends, and return what it reported and its result.

    Args:
        job: a task made by `@task`, a Celery task, or any function, sync or async.
        args, kwargs: its arguments. A task that takes a context gets the one that is passed first.

    Raises:
        TypeError: `job` can't be called.
        Exception: raised by the job.
    """
    function = getattr(job, "func", job)
    if not callable(function):
        raise TypeError(f"run() takes a task or a function, not {job!r}")
    with record() as recorded:
        recorded.result = _call(function, args, kwargs)
    return recorded


def _call(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    if inspect.iscoroutinefunction(function):
        return async_to_sync(function)(*args, **kwargs)
    return function(*args, **kwargs)
