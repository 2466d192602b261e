"""The reads that a reporter owes before it may write: its process began, or ended, a task without one."""

from ..exceptions import StoreUnavailable
from ..reporting import Reporter, get_flusher
from ..snapshot import Snapshot, State, rebase
from ..store import Loaded, get_store
from .chosen_ids import find_base, is_of_another_run


class CatchUp:
    """The postponed read of a task that began without one, perhaps since the store could not be read.

    The reporter calls it from the flusher's thread until it succeeds, and writes nothing before.

    Args:
        reporter: the reporter of the task in this process.
        known: the snapshot with which the first attempt since the last read began.
        run: what `name_run` returned of the task when its message was sent, if its id can be used again.
    """

    def __init__(self, reporter: Reporter, known: Snapshot, run: str | None = None) -> None:
        self.known = known
        self._reporter = reporter
        self._run = run

    def __call__(self, loaded: Loaded | None = None) -> None:
        """Read the stored snapshot, unless it is given, and rebase the reporter onto it.

        Raises:
            StoreUnavailable: the store still can't be read.
        """
        reporter = self._reporter
        try:
            stored, is_cancelled = loaded or get_store().load(reporter.task_id)
            if self.is_superseded(stored):
                get_flusher().remove(reporter)
            else:
                self._go_on_from(find_base(stored, self.known, self._run))
        except Exception as error:  # whatever a cache backend raises
            raise StoreUnavailable(f"the stored snapshot of task {reporter.task_id!r} can't be read") from error
        reporter.catch_up = None
        if is_cancelled:
            reporter.request_cancel()

    def pass_to(self, reporter: Reporter) -> "CatchUp":
        """Return the same read for the reporter of the next attempt."""
        return CatchUp(reporter, self.known, self._run)

    def is_superseded(self, stored: Snapshot | None) -> bool:
        """Whether the next attempt has begun since this one was handed back, or another run has the id."""
        if stored is None:
            return False
        is_followed = self._reporter.is_handed_back and stored.attempt > self.known.attempt
        return is_followed or is_of_another_run(stored, self._run)

    def _go_on_from(self, stored: Snapshot | None) -> None:
        flusher = get_flusher()
        claim_attempt(rebase(self._reporter.snapshot, stored, since=self.known, now=flusher.clock.now()))
        if stored is None:
            flusher.enlist(self.known)
        self._reporter.rebase(stored, since=self.known)


class CatchUpUnstarted(CatchUp):
    """The postponed read of a task that ended before it began; only a queued task is written over."""

    def is_superseded(self, stored: Snapshot | None) -> bool:
        """Whether the store holds no queued snapshot of the task."""
        return stored is None or stored.state is not State.QUEUED


class CatchUpPromised(CatchUp):
    """The postponed read of a task that will not be sent; only a queued task is written over."""

    def is_superseded(self, stored: Snapshot | None) -> bool:
        """Whether the task has begun or ended."""
        return stored is not None and stored.state is not State.QUEUED


class Hidden(CatchUp):
    """Marks a reporter that reports to nobody, since its id is that of another run."""


def claim_attempt(snapshot: Snapshot) -> None:
    """Store the number of a repeated attempt, so that a worker with an earlier one stops reporting.

    A broker may deliver a message again while its first worker still runs the task.
    """
    if snapshot.attempt > 1:
        get_store().claim_attempt(snapshot.task_id, snapshot.attempt)
