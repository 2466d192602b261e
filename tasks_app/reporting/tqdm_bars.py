"""The bars of tqdm, where it is installed; nothing else knows it.

What is used of it is documented: a class derived from `tqdm` overrides methods, and reads public attributes.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator
from time import time as now
from typing import Any

from .capture import OPEN, Capture, CapturedBar, Gate, Reading
from .derived import convert, wrap_init

#: What a bar has for its loop to know when the console is due.
PACE = ("delay", "last_print_n", "last_print_t", "mininterval", "miniters", "start_t")

#: What is overridden.
METHODS = ("__iter__", "update", "reset", "close")


def hook_tqdm() -> None:
    """Have bars ask for a capture when they are made.

    Raises:
        ImportError, AttributeError, TypeError: tqdm is not installed, or not the one that is known.
    """
    from tqdm import std

    plain = std.tqdm
    signature = inspect.signature(plain.__init__)
    plain_iter, plain_update, plain_reset, _ = (getattr(plain, name) for name in METHODS)

    class Captured(plain):  # type: ignore[misc, valid-type]
        """A bar of tqdm that is captured."""

        n: Any
        tasks_app_bar: CapturedBar | None = None
        tasks_app_gate: Gate = OPEN

        def __iter__(self) -> Iterator[Any]:
            bar = self.tasks_app_bar
            if bar is None or bar.is_over:
                return plain_iter(self)  # type: ignore[no-any-return]
            if self.disable:
                return _iterate_unseen(self, bar)
            return _iterate(self, bar) if _has_pace(self) else _watch(plain_iter(self), self.tasks_app_gate)

        def update(self, n: float | None = 1) -> bool | None:
            is_shown = plain_update(self, n)
            if self.tasks_app_gate.is_cancelled:
                self.tasks_app_gate.raise_if_cancelled()
            return is_shown  # type: ignore[no-any-return]

        def reset(self, total: float | None = None) -> None:
            plain_reset(self, total)
            if self.tasks_app_bar is not None:
                self.tasks_app_bar.look()

    class Paced(Captured):
        """One that calls tqdm only when the console may be due, as tqdm itself finds out."""

        def update(self, n: Any = 1) -> bool | None:
            if self.disable or n < 0:
                return plain_update(self, n)  # type: ignore[no-any-return]
            done = self.n + n
            if done - self.last_print_n >= self.miniters and now() - self.last_print_t >= self.mininterval:
                return super().update(n)
            self.n = done
            if self.tasks_app_gate.is_cancelled:
                self.tasks_app_gate.raise_if_cancelled()
            return None

    class Unseen(Captured):
        """One that writes nothing, for which tqdm counts nothing."""

        def update(self, n: float | None = 1) -> None:
            self.n += n
            self.tasks_app_gate.raise_if_cancelled()

    def make(bar: Any, capture: Capture, init: Callable[..., None], args: tuple[Any, ...], kwargs: Any) -> None:
        given = signature.bind_partial(bar, *args, **kwargs).arguments
        if given.get("disable") or not convert(bar, Captured):
            init(bar, *args, **kwargs)
            return
        if capture.is_quiet:
            kwargs = {**kwargs, "disable": True}
        init(bar, *args, **kwargs)
        if bar.disable:
            convert(bar, Unseen)
        elif _has_pace(bar):
            convert(bar, Paced)
        values = vars(bar)  # the bar itself must go when the job lets go of it
        first = Reading(0, None, given.get("unit"), given.get("desc"))
        bar.tasks_app_bar = capture.begin(
            lambda: _read_tqdm(values, first), lambda: values.update(tasks_app_gate=OPEN)
        )
        bar.tasks_app_gate = capture.gate

    wrap_init(plain, make)


def _has_pace(bar: Any) -> bool:
    return all(hasattr(bar, name) for name in PACE)


def _read_tqdm(values: dict[str, Any], first: Reading) -> Reading:
    unit, description = values.get("unit", first.unit), values.get("desc", first.description)
    if isinstance(description, str):
        description = description.removesuffix(": ")  # as `set_description` adds it
    return Reading(values.get("n"), values.get("total"), None if unit == "it" else unit, description)


def _iterate(self: Any, bar: CapturedBar) -> Iterator[Any]:
    """Loop as tqdm does, with the same calls for the console, and look for a cancel at each step."""
    gate, mininterval, start = self.tasks_app_gate, self.mininterval, self.start_t + self.delay
    last_n, last_time = self.last_print_n, self.last_print_t
    bar.steps = n = self.n
    try:
        for item in self.iterable:
            if gate.is_cancelled:
                gate.raise_if_cancelled()
            yield item
            bar.steps = n = n + 1
            if n - last_n >= self.miniters:
                time_now = now()
                if time_now - last_time >= mininterval and time_now >= start:
                    self.update(n - last_n)
                    last_n, last_time = self.last_print_n, self.last_print_t
    finally:
        self.n = n
        _leave(self, bar)


def _iterate_unseen(self: Any, bar: CapturedBar) -> Iterator[Any]:
    """Loop without the console."""
    gate = self.tasks_app_gate
    bar.steps = n = self.n
    try:
        for item in self.iterable:
            if gate.is_cancelled:
                gate.raise_if_cancelled()
            yield item
            bar.steps = n = n + 1
    finally:
        self.n = n
        _leave(self, bar)


def _watch(items: Iterable[Any], gate: Gate) -> Iterator[Any]:
    """Loop over what counts by itself, and look for a cancel at each step."""
    for item in items:
        gate.raise_if_cancelled()
        yield item


def _leave(self: Any, bar: CapturedBar) -> None:
    bar.steps = None
    bar.end()  # where `close` does nothing, as with a bar of a notebook that is disabled
    self.close()
