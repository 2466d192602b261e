"""The stream of one viewer: an async iterator of frames that holds no thread, no queue and no database connection."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Self

from ..conf import get_settings
from ..utils.backoff import draw_around
from ..utils.server import release_request_thread
from .frames import View, encode_all_ended, encode_missing, encode_retry, encode_server_time, get_keep_alive
from .hub import Hub, get_hub
from .log_places import LogPlaces
from .outlet import Outlet
from .places import NO_PLACE
from .timing import Deadline
from .watch import Watch

logger = logging.getLogger("tasks_app")

#: The number of bytes from which a chunk takes no more frames, so that many large tasks are sent piece by piece.
CHUNK_BYTES = 65536


class Stream:
    """The frames of one or many tasks, always the latest of each, until all have ended.

    An object with a `close()`, no generator: that runs its `finally` when garbage is collected, if a client has left.
    Nothing is queued for a slow client: `_pending` holds the tasks that have changed; their latest frames are sent.

    Args:
        with_log: whether each snapshot is preceded by the lines that the task has logged by then.
        uses_heartbeat_events: whether keep-alives are events instead of comments.
    """

    held: "asyncio.Future[bytes] | None" = None  # what a caller waits for who is given nothing; no memory until then

    def __init__(self, hub: Hub, *, with_log: bool, uses_heartbeat_events: bool) -> None:
        # The attributes that each frame uses come first, to be close in memory: that saves a good part of its cost.
        self._waiter: asyncio.Future[bytes] | None = None
        #: If not None, frames are written to it while the caller waits; what is more than a frame goes to the caller.
        self.outlet: Outlet | None = None
        self._is_idle = False
        self._is_overdue = False
        self.place = NO_PLACE  # what its client has taken for it
        self._with_log = with_log
        self._is_plain = not with_log  # whether a change is told by its frame alone, given to the caller
        settings = get_settings()
        self.watches: list[Watch] = []
        self.request: object = None  # what opened it, where it is asked again who may see its tasks
        self._hub = hub
        self._loop = asyncio.get_running_loop()
        self._head = self._retry = encode_retry(draw_around(settings.RETRY_MS, 0.5))
        self._keep_alive = get_keep_alive(as_event=uses_heartbeat_events)
        self._owes_time = uses_heartbeat_events
        self._deadline = Deadline(self._loop)
        if settings.MAX_STREAM_SECONDS is not None:
            self._deadline.plan(Stream.expire, self, settings.MAX_STREAM_SECONDS * random.uniform(0.8, 1.2))
        self._pending: dict[Watch, None] = {}
        self._last_event_id: str | None = None
        self._places: LogPlaces | None = None
        self._ended: Counter[str] = Counter()
        self._is_many = False
        self.has_lapsed = False  # whether it ends once its client knows, since a right to see its tasks has
        self._is_done = self._is_closed = False

    @classmethod
    async def open(
        cls, task_ids: Sequence[str], *, with_log: bool = False, uses_heartbeat_events: bool = False
    ) -> Self:
        """Return a stream that watches these tasks; the caller must close it if it does not iterate over it.

        Raises:
            Exception: raised by the cache.
        """
        stream = cls(get_hub(), with_log=with_log, uses_heartbeat_events=uses_heartbeat_events)
        stream.watches = await stream._hub.watch(stream, task_ids)
        return stream

    def show_one(self, last_event_id: str | None) -> None:
        """Send the one watched task, unless its event id is `last_event_id`."""
        self._pending = dict.fromkeys(self.watches)
        if self._with_log:
            self._follow(LogPlaces.of_one(self.watches[0], last_event_id))
        else:
            self._last_event_id = last_event_id

    def show_many(self, hidden: Iterable[Watch], last_event_id: str | None = None) -> None:
        """Send all watched tasks, and report the `hidden` ones as missing; log lines go on after `last_event_id`."""
        self._is_many = True
        self._pending = dict.fromkeys(self.watches)
        for watch in hidden:
            del self._pending[watch]
            self._hub.unwatch(self, watch)
            self._head += encode_missing(watch.task_id)
            self._ended["missing"] += 1
        if self._with_log:
            self._follow(LogPlaces.of_many(self.watches, last_event_id))

    def send_by(self, outlet: Outlet) -> None:
        """Have frames written directly to `outlet` while the caller waits; it must close the stream before it ends."""
        self.outlet, self._is_plain = outlet, False
        if not self._with_log:  # which comes before its snapshot
            for watch in self.watches:
                watch.audience.connect(self, outlet)

    def __del__(self) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> "asyncio.Future[bytes]":
        """Return a future of the next chunk, which costs less per frame than a coroutine around it.

        If the future is cancelled, the stream ends at the next call.

        Raises:
            RuntimeError: another caller waits for the next chunk.
        """
        if (last := self._waiter) is not None:
            if not last.done():
                raise RuntimeError("another caller waits for the next chunk of this stream")
            if last.cancelled():
                self.close()
        self._waiter = waiter = self._loop.create_future()
        # Usually nothing is ready yet; this check saves the call then.
        if self._pending or self._head or self._is_done or self._is_overdue or self._is_many:
            self._step()
        if self.outlet is not None:
            self.outlet.is_waiting = not waiter.done()
        return waiter

    async def aclose(self) -> None:
        """Close the stream; Django calls this when the client has left."""
        self.close()

    def close(self) -> None:
        """Stop watching and end the stream; may be called from any thread, and more than once."""
        if self._is_closed:
            return
        self._is_closed = self._is_done = True
        if self.outlet is not None:
            self.outlet.is_waiting = False
        try:
            self._loop.call_soon_threadsafe(self._detach)
        except RuntimeError:  # the loop is closed, so no caller waits for the end
            self._leave()

    def notify(self, watch: Watch) -> None:
        """Send the latest frame of a task, or mark it as pending."""
        waiter, view = self._waiter, watch.view
        # A caller that waits has been given everything before; without an outlet, most frames take this short path.
        if waiter is None or waiter.done() or view is None or view.is_terminal or not self._is_plain:
            self._pending[watch] = None
            self._step()
        else:
            self._is_idle = self._is_overdue = False
            self._waiter = None
            waiter.set_result(view.frame)

    def tick(self) -> None:
        """Send a keep-alive if nothing was sent since the last call; called every half KEEPALIVE."""
        has_written = self.outlet is not None and self.outlet.take_use()
        if self._is_idle and not has_written:
            self._is_overdue = True
            self._step()
        else:
            self._is_idle = True

    def hold(self) -> None:
        """Give the caller nothing until `go_on`, since its reader is behind; without effect while no caller waits."""
        if self.held is None and self._waiter is not None and not self._waiter.done():
            self.held, self._waiter = self._waiter, None

    def go_on(self) -> None:
        """Give the caller what there is; what has changed while it was held has waited."""
        held, self.held = self.held, None
        if self._waiter is None:
            self._waiter = held
        self._step()

    def expire(self) -> None:
        """End the stream; its client reconnects."""
        self._is_done = True
        self.go_on()

    def end_in(self, seconds: float) -> None:
        """End the stream after so many seconds, when a right to see its tasks ends; its client comes back."""
        self._deadline.plan(Stream.lapse, self, seconds)

    def lapse(self) -> None:
        """End the stream because a right to see its tasks has ended; once is enough."""
        if self.has_lapsed:
            return
        watched = (watch.view for watch in self.watches if self in watch.audience)
        # A retry must be part of an event, so the client is sent a snapshot that it knows.
        if view := next((view for view in watched if view and not view.is_terminal), None):
            self._head += self._retry + view.data
        self.has_lapsed, self._is_done = True, self._is_done or view is None
        self.go_on()

    def _follow(self, places: LogPlaces) -> None:
        self._places = places
        for watch in self._pending:
            self._hub.follow_log(self, watch)

    def _detach(self) -> None:
        self._leave()
        self.go_on()

    def _leave(self) -> None:
        self._deadline.cancel()
        self.place.give_back()
        self._hub.leave(self, self.watches)

    def _step(self) -> None:
        """Give the waiting caller the next chunk or the end; do nothing while there is neither, or no caller waits."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        # If an exception left the iterator, Daphne would keep the connection open for ever.
        try:
            if chunk := self._take():
                self._give(waiter, chunk)
                return
        except Exception:
            logger.exception("a stream failed; tasks %s", [watch.task_id for watch in self.watches])
            self._is_done = True
        if self._is_done:
            waiter.set_exception(StopAsyncIteration)
            self.close()

    def _give(self, waiter: "asyncio.Future[bytes]", chunk: bytes) -> None:
        self._waiter = None
        if self.outlet is not None:
            self.outlet.is_waiting = False  # what is written now would overtake this chunk
        waiter.set_result(chunk)

    def _take(self) -> bytes:
        """Return the bytes to send now, perhaps none; a single frame is the object that all streams share."""
        if self._is_done:
            return b""
        if self._head and self.outlet is None:
            # Django and the server keep the last chunk, so that should be a shared frame, not a copy with a head.
            release_request_thread()
            return self._take_head()
        frames, size = [self._take_head()] if self._head else [], 0
        while self._pending and size < CHUNK_BYTES:
            watch = next(iter(self._pending))
            del self._pending[watch]
            if watch.view is not None and (frame := self._take_view(watch, watch.view)):
                frames.append(frame)
                size += len(frame)
        if self._is_many and self._ended.total() == len(self.watches):
            frames.append(encode_all_ended(self._ended))
            self._is_done = True
        if self._owes_time and not self._is_done:
            frames.append(encode_server_time(datetime.now(UTC)))
            self._owes_time = False
        if not frames and self._is_overdue:
            frames.append(self._keep_alive)
        if frames:
            self._is_idle = self._is_overdue = False
        return frames[0] if len(frames) == 1 else b"".join(frames)

    def _take_head(self) -> bytes:
        head, self._head = self._head, b""
        self._is_done = self.has_lapsed
        return head

    def _take_view(self, watch: Watch, view: View) -> bytes:
        if self._places is not None:
            return self._take_logged(watch, view, self._places)
        # Only the first frame can be one that the client has seen: the hub notifies of each version once.
        is_new, self._last_event_id = view.event_id != self._last_event_id, None
        if view.is_terminal:
            self._note_end(watch, view)
        if not view.is_terminal or self._is_many:
            return view.frame if is_new else b""
        return view.last_frames if is_new else view.end_frame

    def _take_logged(self, watch: Watch, view: View, places: LogPlaces) -> bytes:
        if (lines := places.take_lines(watch)) is not None:
            self._pending[watch] = None
            return lines
        frames = places.take_snapshot(watch, view, with_end=view.is_terminal and not self._is_many)
        if frames is None:
            return b""  # the hub notifies this stream once it has read the lines
        if view.is_terminal:
            self._note_end(watch, view)
        return frames

    def _note_end(self, watch: Watch, view: View) -> None:
        self._hub.unwatch(self, watch)
        self._ended[view.snapshot.state] += 1
        self._is_done |= not self._is_many
