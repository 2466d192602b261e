"""The meter that puts what this process measures into the instruments of prometheus-client."""

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar, cast

from ...integration import Rarely, Snapshot, State
from .instruments import Instruments
from .names import Names

logger = logging.getLogger("tasks_app")

F = TypeVar("F", bound=Callable[..., None])

_failures = Rarely()


def _guarded(method: F) -> F:
    """Have a method log what it raises once a minute: a full disk, on which metrics are kept, must end no job."""

    @wraps(method)
    def guarded(*args: Any) -> None:
        try:
            method(*args)
        except Exception:
            if _failures.is_due(method.__name__):
                logger.exception("a metric could not be counted (said once a minute)")

    return cast(F, guarded)


class PrometheusMeter:
    """A `Meter` whose only labels are names of tasks, states, and methods of the cache."""

    def __init__(self, instruments: Instruments, names: Names) -> None:
        self._instruments = instruments
        self._names = names
        self._seen_running: set[str] = set()

    @_guarded
    def note_begun(self, snapshot: Snapshot) -> None:
        name = self._names.bound(snapshot.task)
        self._instruments.begun.labels(name).inc()
        if snapshot.attempt == 1 and snapshot.started_at is not None:
            due = max(snapshot.created_at, snapshot.not_before or snapshot.created_at)
            waited = (snapshot.started_at - due).total_seconds()
            self._instruments.waiting_seconds.labels(name).observe(max(waited, 0.0))  # clocks differ

    @_guarded
    def note_ended(self, snapshot: Snapshot) -> None:
        labels = self._names.bound(snapshot.task), snapshot.state.value
        self._instruments.ended.labels(*labels).inc()
        if snapshot.state is State.LOST:  # when it stopped is not known
            return
        if snapshot.started_at is not None and snapshot.finished_at is not None:
            seconds = (snapshot.finished_at - snapshot.started_at).total_seconds()
            self._instruments.seconds.labels(*labels).observe(max(seconds, 0.0))

    @_guarded
    def note_running(self, numbers: Mapping[str, int]) -> None:
        running: dict[str, int] = dict.fromkeys(self._seen_running, 0)
        for name, number in numbers.items():
            bounded = self._names.bound(name)
            running[bounded] = running.get(bounded, 0) + number
        for name, number in running.items():
            self._instruments.running.labels(name).set(number)
        self._seen_running |= running.keys()

    @_guarded
    def note_missed_heartbeats(self, number: int) -> None:
        self._instruments.missed_heartbeats.inc(number)

    @_guarded
    def note_flush(self, seconds: float) -> None:
        self._instruments.flush_seconds.observe(seconds)

    @_guarded
    def note_store_failure(self, call: str) -> None:
        self._instruments.store_failures.labels(call).inc()

    @_guarded
    def note_connect(self) -> None:
        self._instruments.connects.inc()

    @_guarded
    def note_streams(self, number: int) -> None:
        self._instruments.streams.set(number)

    @_guarded
    def note_frames(self, number: int) -> None:
        self._instruments.frames.inc(number)

    @_guarded
    def note_sweep(self, seconds: float, found: int) -> None:
        self._instruments.sweep_seconds.observe(seconds)
        self._instruments.found_by_sweeps.inc(found)

    @_guarded
    def note_stalled(self) -> None:
        self._instruments.stalled.inc()
