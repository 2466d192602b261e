"""The meter of this process. Pure."""

from collections.abc import Mapping
from typing import Protocol

from ..snapshot import Snapshot


class Meter(Protocol):
    """Takes what is measured, from any thread; its methods must neither block nor raise.

    Nothing is measured for each viewer: a change is told once, with the number of its viewers.
    """

    def note_begun(self, snapshot: Snapshot) -> None:
        """An attempt has begun in this process."""

    def note_ended(self, snapshot: Snapshot) -> None:
        """A task has ended, and this process has stored that."""

    def note_running(self, numbers: Mapping[str, int]) -> None:
        """This process runs so many tasks of each name; told every SWEEP_INTERVAL while it runs any, and then once."""

    def note_missed_heartbeats(self, number: int) -> None:
        """So many heartbeats of a task that runs here were due, and no write came in time."""

    def note_flush(self, seconds: float) -> None:
        """The changes of some tasks were written, or their write has failed, after so many seconds."""

    def note_store_failure(self, call: str) -> None:
        """A call of the cache has raised, or the cache has refused a part of what it was given.

        Args:
            call: the method of the cache.
        """

    def note_connect(self) -> None:
        """A stream was opened for a viewer."""

    def note_streams(self, number: int) -> None:
        """So many streams are open in this process; told every SWEEP_INTERVAL while there are any, and then once."""

    def note_frames(self, number: int) -> None:
        """A change of a task was handed to so many streams."""

    def note_sweep(self, seconds: float, found: int) -> None:
        """All watched tasks were read in so many seconds; `found` had changed without a wake-up."""

    def note_stalled(self) -> None:
        """A watched task has given no sign of life for STALLED_AFTER seconds."""


class NoMeter:
    """The meter where nobody listens."""

    def note_begun(self, snapshot: Snapshot) -> None: ...
    def note_ended(self, snapshot: Snapshot) -> None: ...
    def note_running(self, numbers: Mapping[str, int]) -> None: ...
    def note_missed_heartbeats(self, number: int) -> None: ...
    def note_flush(self, seconds: float) -> None: ...
    def note_store_failure(self, call: str) -> None: ...
    def note_connect(self) -> None: ...
    def note_streams(self, number: int) -> None: ...
    def note_frames(self, number: int) -> None: ...
    def note_sweep(self, seconds: float, found: int) -> None: ...
    def note_stalled(self) -> None: ...


class _Holder:
    """The meter in use."""

    meter: Meter = NoMeter()


def get_meter() -> Meter:
    """Return the meter of this process."""
    return _Holder.meter


def set_meter(meter: Meter) -> None:
    """Tell `meter` from now on what this process measures, and no other."""
    _Holder.meter = meter
