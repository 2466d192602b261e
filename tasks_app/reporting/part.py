"""A part of a task: what one thread or process reports of it, with a count of its own."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from ..exceptions import TaskCancelled, is_cancel
from ..snapshot import State
from ..utils.json import normalize
from .bars import hook_bars
from .binding import Itself
from .capture import Capture
from .counts import Count, advance
from .draft import Draft
from .handle import Home
from .log import check_level
from .progress import Progress
from .values import check_number

#: What is done, the total, and what is done of the steps that run, in steps.
Counted = tuple[float, float | None, float]


class Sink(Protocol):
    """The interface of what takes the reports of a part, in the process of the job or on the way to it."""

    @property
    def lock(self) -> threading.RLock: ...

    @property
    def is_cancelled(self) -> bool: ...

    @property
    def cancel_error(self) -> Callable[[str], TaskCancelled]: ...

    def begin(self, read: Callable[[], Counted], heed: Callable[[], None]) -> None: ...

    def say(self, status: str) -> None: ...

    def count_in(self, unit: str) -> None: ...

    def merge(self, values: Mapping[str, Any]) -> None: ...

    def log(self, text: str, level: str) -> None: ...

    def enter(self, name: str, read: Callable[[], Counted]) -> None: ...

    def leave(self, state: State, read: Callable[[], Counted]) -> None: ...

    def end(self) -> None: ...


class PartDraft(Draft):
    """The counts of a part: its loops all add up, so that no later one begins at 0.

    Args:
        status: what the part has said last.
    """

    def __init__(self, task_id: str, sink: Sink, status: str | None = None) -> None:
        super().__init__(task_id, {}, wake=lambda: None)
        self.lock, self.cancel_error, self.status = sink.lock, sink.cancel_error, status
        self._tell = sink.say
        #: What the part counts outside of loops.
        self.steps = Count()
        self.added.add(self.steps)

    def begin_loop(self, total: float | None) -> bool:
        return False

    def overrules(self, counter: object) -> bool:
        """Return whether the part has set a total itself, so that a bar which is no step of it counts for nothing."""
        if self.steps.total is None or not isinstance(counter, Count) or counter.step is not None:
            return False
        counter.set_loop(0, None)
        return True

    def say(self, status: str, *, is_with_step: bool) -> None:
        self.status = status
        self._tell(status)

    def read(self) -> Counted:
        """Return what is counted at this moment."""
        with self.lock:
            self.pull()
            return self.added.current, self.added.total, self.added.extra


class Part(Progress):
    """The reporting API of a part of a task; it belongs to the thread that has opened it.

    A step is only counted here, without clock or lock; the sink reads the count when a write is due.

    Args:
        captures: whether the bars of all that the part does are captured.
    """

    progress: Any = Itself()

    def __init__(self, task_id: str, home: Home, sink: Sink, *, captures: bool) -> None:
        self.task_id = task_id
        self.progress, self.outer, self.opener = self, None, None  # found sooner than by `Itself`, at each step
        self._home, self._sink = home, sink
        self._enter(PartDraft(task_id, sink))
        self.all_bars = Capture(lambda: self._draft, self.update) if captures and hook_bars() else None
        sink.begin(self._draft.read, self._heed)

    def end(self) -> None:
        """Have what was reported last reach the job."""
        self._sink.end()
        vars(self).pop("progress", None)  # see `Itself`

    def update(
        self,
        *,
        current: float | None = None,
        total: float | None = None,
        status: object = None,
        unit: str | None = None,
    ) -> None:
        steps = self._steps
        current = steps.current if current is None else check_number("current", current)
        total = steps.total if total is None else check_number("total", total)
        steps.current, steps.total = current, total
        if status is not None:
            self._draft.say(str(status), is_with_step=current is not None)
        if unit is not None:
            self._sink.count_in(str(unit))

    def advance(self, n: float = 1) -> None:
        if type(n) is int and n == 1:
            self._steps.current += 1
        else:
            advance(self._steps, n)

    def stages(self, weights: Mapping[str, float]) -> None:
        """Refuse to declare stages: they are those of the whole task.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(f"only the job itself declares stages, so not {weights!r} in a part of it")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        outside, inside = self._draft, PartDraft(self.task_id, self._sink, self._draft.status)
        self._sink.enter(name, inside.read)
        self._enter(inside)
        try:
            yield
        except BaseException as error:
            self._leave(outside, State.CANCELLED if is_cancel(error) else State.FAILED)
            raise
        self._leave(outside, State.SUCCEEDED)

    def meta(self, **values: Any) -> None:
        self._sink.merge(normalize(values)[0])

    def log(self, text: object, level: str = "info") -> None:
        self._sink.log(str(text), check_level(level))

    @property
    def cancelled(self) -> bool:
        return self._sink.is_cancelled

    def raise_if_cancelled(self) -> None:
        self._heed()
        self._draft.raise_if_cancelled()

    def _enter(self, draft: PartDraft) -> None:
        self._draft: PartDraft = draft
        self._steps = draft.steps
        self._heed()  # the task may have been asked to stop before

    def _heed(self) -> None:
        """Have loops stop at the next step, if the task was asked to."""
        self._draft.is_cancelled = self._sink.is_cancelled

    def _leave(self, outside: PartDraft, state: State) -> None:
        outside.status = self._draft.status
        self._sink.leave(state, outside.read)
        self._enter(outside)
