"""The times by which a task that runs here must be written: for its next heartbeat, and not to be taken for lost."""

from ..conf import get_settings
from ..metering import get_meter
from ..utils.clock import Clock


class Timers:
    """The times of one task, which begin again with each write of it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begin(clock.monotonic())

    @property
    def is_beat_due(self) -> bool:
        """Whether a heartbeat is due."""
        return self._clock.monotonic() >= self.next_beat

    @property
    def is_overdue(self) -> bool:
        """Whether the task may have been declared lost, or begun again elsewhere, since it was written last."""
        return self._clock.monotonic() > self._overdue_at

    def restart(self) -> None:
        """Begin again, since the task was written; heartbeats that were due long before have been missed."""
        monotonic = self._clock.monotonic()
        if (missed := int((monotonic - self.next_beat) / get_settings().HEARTBEAT)) > 0:
            get_meter().note_missed_heartbeats(missed)
        self._begin(monotonic)

    def _begin(self, monotonic: float) -> None:
        settings = get_settings()
        #: The time of the next heartbeat, by the monotonic clock.
        self.next_beat = monotonic + settings.HEARTBEAT
        self._overdue_at = monotonic + settings.STALLED_AFTER
