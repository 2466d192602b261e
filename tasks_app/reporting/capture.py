"""The bars that a job makes with other packages, as loops of its task."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol

from ..utils.lazy import call_after_fork
from .binding import Bound, bound
from .counts import Count
from .draft import Draft
from .loops import Loop, Update, is_in_loop
from .values import check_number


class Reading(NamedTuple):
    """The values that a bar shows; of any type, as its package has them."""

    current: Any
    total: Any
    unit: Any
    description: Any


class Gate(Protocol):
    """The part of a draft that a bar looks at with each step."""

    is_cancelled: bool

    def raise_if_cancelled(self) -> None: ...


class Open:
    """The gate of a bar that is not captured."""

    is_cancelled = False

    def raise_if_cancelled(self) -> None:
        pass


OPEN = Open()


class Capture:
    """The capture of the bars that a job, or a part of it, makes in a block, or in all of its code.

    Args:
        find_draft: tells the draft that takes what is reported now: a part has one of its own for each stage.
        update: that of the task.
        is_quiet: whether the bars write nothing to the console.
    """

    def __init__(self, find_draft: Callable[[], Draft], update: Update, *, is_quiet: bool = False) -> None:
        self.is_quiet = is_quiet
        self._find_draft, self._update = find_draft, update
        self._is_over = False
        self._bars: list[CapturedBar] = []  # the outermost first
        self._said: str | None = None  # the status that a description may replace

    @property
    def is_on(self) -> bool:
        """Whether bars that are made now are captured."""
        return not (self._is_over or self._find_draft().is_closed)

    def raise_if_cancelled(self) -> None:
        """Raise `TaskCancelled` if the task was asked to stop."""
        if self.is_on:
            self._find_draft().raise_if_cancelled()

    @property
    def gate(self) -> Gate:
        """The object that a bar looks at with each step."""
        return self._find_draft()

    def begin(self, read: Callable[[], Reading], let_go: Callable[[], object]) -> "CapturedBar":
        """Capture a bar.

        Args:
            read: tells what the bar shows, in any thread, and waits for nothing.
            let_go: called when the bar is no longer captured.
        """
        draft = self._find_draft()
        with draft.lock:
            self.pull()
            if not self._bars:
                self._said = None if is_in_loop(draft) else draft.status
        bar = CapturedBar(draft, self._update, read, let_go)
        with draft.lock:
            self._bars.append(bar)
            if self.pull not in draft.pulls:
                draft.pulls = (*draft.pulls, self.pull)
            self.pull()
        draft.touch()
        return bar

    def end(self) -> None:
        """Capture nothing more; a bar that is still open goes on without the task."""
        self._is_over = True
        with self._find_draft().lock:
            for bar in self._bars:
                bar.end()
            self.pull()

    def pull(self) -> None:
        """Report what the bars show; the caller holds the lock of the draft."""
        over = [bar for bar in self._bars if bar.is_over]  # one that ends from now on is read once more
        for bar in self._bars:
            bar.pull()
        self._say()
        self._bars = [bar for bar in self._bars if bar not in over]
        for draft in {bar.draft for bar in over} - {bar.draft for bar in self._bars}:
            draft.pulls = tuple(pull for pull in draft.pulls if pull != self.pull)

    def _say(self) -> None:
        """Set the status to the outermost description, unless the job has set another one since the bar began."""
        text = next((bar.description for bar in self._bars if bar.description), None)
        draft = self._find_draft()
        if text is not None and draft.status == self._said != text:
            draft.say(text, is_with_step=True)
            self._said = text


class CapturedBar:
    """A bar that is a loop of a task.

    Attributes:
        draft: the one to which it reports.
        steps: the steps done while the bar itself does not count them; None if it does.
        description: what the bar says of itself.
        is_over: whether the bar has ended.
    """

    def __init__(
        self, draft: Draft, update: Update, read: Callable[[], Reading], let_go: Callable[[], object]
    ) -> None:
        self.steps: float | None = None
        self.is_over = False
        self.draft, self._read, self._let_go = draft, read, let_go
        _, total, unit, self.description = _check(read())
        self._loop = None if draft.has_own_total else Loop(draft, update, total=total, status=None, unit=unit)
        self._counter = Count() if self._loop is None else self._loop.counter
        self._shown = (self._counter.current, self._counter.total)
        self._is_overruled = False
        if self._loop is not None:
            self._loop.refresh = self.pull

    def pull(self) -> None:
        """Take over what the bar shows, unless the job has reported something else; the caller holds the lock."""
        current, total, _, self.description = _check(self._read())
        counter = self._counter
        if (counter.current, counter.total) != self._shown or self.draft.overrules(counter):
            self._is_overruled = True
        if self._is_overruled:
            return
        current = (current if self.steps is None else self.steps) or 0
        if self._loop is not None and current < (counter.current or 0):
            self._loop.begin_again()
        counter.set_loop(current, total)
        self._shown = (counter.current, counter.total)

    def look(self) -> None:
        """Take over what the bar shows now, since it was set back."""
        with self.draft.lock:
            if not self.is_over:
                self.pull()
        self.draft.touch()

    def end(self) -> None:
        """End the bar, without waiting for the lock, since the garbage collector may call this at any point."""
        if self.is_over:
            return
        self.is_over = True
        self._let_go()
        self.draft.is_dirty = True  # the next pull takes over what the bar showed last
        if self._loop is not None:
            self._loop.end()


def _check(reading: Reading) -> tuple[float | None, float | None, str | None, str | None]:
    """Return the values that can be reported, and None for others: a bar takes some that a task refuses."""
    current, total, unit, description = reading
    return _check_number(current), _check_number(total), _check_text(unit), _check_text(description)


def _check_number(value: Any) -> float | None:
    try:
        return None if value is None else check_number("it", value)
    except (TypeError, ValueError):
        return None


def _check_text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


@contextmanager
def capturing(capture: Capture) -> Iterator[None]:
    """Have the bars that are made in this block and context captured."""
    before = _explicit.get()
    _explicit.set((capture, bound.get()))
    try:
        yield
    finally:
        _explicit.set(before)
        capture.end()


def find_capture() -> Capture | None:
    """Return the capture of a bar that is made in this context, or None."""
    target = bound.get()
    capture, target_then = _explicit.get()
    if capture is not None and capture.is_on and target is target_then:  # no other task began inside the block
        return capture
    everything: Capture | None = None if target is None else getattr(target.progress, "all_bars", None)
    return everything if everything is not None and everything.is_on else None


def _forget() -> None:
    """Capture nothing in a child that a job forks, since only one process writes a task."""
    _explicit.set((None, None))


_explicit: ContextVar[tuple[Capture | None, Bound | None]] = ContextVar("tasks_app_capture", default=(None, None))

call_after_fork(_forget)
