"""What whoever writes the snapshots must know of a task that is reported from this process."""

from collections.abc import Mapping
from typing import Protocol

from ..snapshot import Snapshot


class Reporter(Protocol):
    """A task, as the flusher sees it."""

    task_id: str

    @property
    def is_sampled(self) -> bool:
        """Does its position change without word to the flusher, so that it must look?"""

    @property
    def awaits_cancel(self) -> bool:
        """Is it worth looking whether someone asked to cancel it?"""

    @property
    def has_ended(self) -> bool:
        """Has it nothing more to say?"""

    @property
    def is_settled(self) -> bool:
        """Is its last word stored, too?"""

    @property
    def pages(self) -> Mapping[int, str]:
        """The pages of its log to write with the snapshot that was taken, by their slot."""

    def take(self) -> Snapshot | None:
        """Return the snapshot to write, or None if the one written last still holds.

        Raises:
            StoreUnavailable: something must be read before, and can't be.
        """

    def mark_written(self, snapshot: Snapshot) -> bool:
        """Take note that `snapshot`, with `pages`, was stored; is there anything in it that viewers did not know?"""

    @property
    def is_overdue(self) -> bool:
        """May it have been taken for lost, or begun anew elsewhere, since it was stored last?"""

    @property
    def attempt(self) -> int:
        """How often it was begun."""

    def request_cancel(self) -> None:
        """Tell the job to stop."""

    def end_lost(self) -> None:
        """End the task as lost, unless it has ended."""
