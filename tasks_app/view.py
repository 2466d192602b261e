"""One version of a task as viewers are shown it."""

from functools import cached_property

from . import sse
from .snapshot import Snapshot


class View:
    """One public version of a task, with its frames: made once, and the same bytes for every stream.

    Raises:
        ValueError, RecursionError: the snapshot holds what is not JSON.
    """

    def __init__(self, snapshot: Snapshot, wire: str | None = None) -> None:
        self.snapshot = snapshot
        self._wire = wire
        self.event_id = snapshot.event_id
        self.is_terminal = snapshot.is_terminal
        #: The unnamed event.
        self.frame = sse.encode_snapshot(snapshot, wire)

    @cached_property
    def chunk(self) -> bytes:
        """The unnamed event as a chunk of a body: https://www.rfc-editor.org/rfc/rfc9112#section-7.1."""
        return b"%x\r\n%b\r\n" % (len(self.frame), self.frame)

    @cached_property
    def end_frame(self) -> bytes:
        """The event that ends a stream."""
        return sse.encode_end(self.snapshot, self._wire)

    @cached_property
    def data(self) -> bytes:
        """The unnamed event without its id, for streams that have ids of their own."""
        return _without_id(self.frame)

    @cached_property
    def end_data(self) -> bytes:
        """The event that ends a stream, without its id."""
        return _without_id(self.end_frame)

    @cached_property
    def last_frames(self) -> bytes:
        """Both, for the streams that are told of the end."""
        return self.frame + self.end_frame


def _without_id(frame: bytes) -> bytes:
    return frame.partition(b"\n")[2]
