"""A guard of streams that Daphne serves without `tasks_app.asgi.wrap`, and keeps in memory until they are read.

Nothing tells a response how much of it is sent. So, while there are such streams, the transports in which bytes wait
are looked at every SWEEP_INTERVAL. A stream whose reader is too far behind is held; one that nobody reads is cut.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextvars import Context
from typing import Any
from weakref import WeakKeyDictionary, ref

from ..conf import get_settings
from ..utils.per_loop import PerLoop
from ..utils.transports import count_unread, count_unsent, find_waiting, is_on_twisted
from .buffers import get_buffers
from .stream import Stream

logger = logging.getLogger("tasks_app")


class Unread:
    """The streams of one event loop that are to be looked at."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        #: The streams, and the list of headers of the request that each answers, by which the server has it as well.
        self._headers: WeakKeyDictionary[Stream, object] = WeakKeyDictionary()
        self._behind: dict[Any, _Behind] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, stream: Stream, request_headers: object) -> None:
        """Look at a stream from now on, if Twisted sends it; `request_headers` is the list in the request's scope."""
        if is_on_twisted():
            self._headers[stream] = request_headers
            self._plan()

    def _plan(self) -> None:
        if self._timer is None and (self._headers or self._behind):
            interval = get_settings().SWEEP_INTERVAL
            self._timer = self._loop.call_later(interval, self._look_again, context=Context())

    def _look_again(self) -> None:
        self._timer = None
        try:
            self.look()
        except Exception:
            logger.exception("what waits for readers can't be found out")
        self._plan()

    def look(self) -> None:
        """Hold the streams whose readers are behind, let the others go on, and cut those that nobody reads."""
        found = dict(self._find())
        for transport, behind in self._behind.items():
            if transport not in found:
                behind.let_go()
        self._behind = found
        for behind in found.values():
            behind.look(self._loop.time())
        get_buffers().count()  # before it knows of the new ones: a reader may be behind for a moment
        for behind in found.values():
            get_buffers().add(behind, 0)

    def _find(self) -> "Iterator[tuple[Any, _Behind]]":
        streams: Mapping[int, Stream] | None = None
        for transport, request in find_waiting():
            if request is None or request.producer is not None:  # another guard, such as that of `wrap`, waits for it
                continue
            behind = self._behind.get(transport)
            if behind is None or behind.request() is not request:
                streams = streams or {id(headers): stream for stream, headers in self._headers.items()}
                stream = streams.get(id(getattr(request, "clean_headers", None)))
                behind = None if stream is None else _Behind(stream, request, transport, self._loop.time())
            if behind is not None:
                yield transport, behind


class _Behind:
    """A stream whose reader is behind."""

    def __init__(self, stream: Stream, request: Any, transport: Any, monotonic: float) -> None:
        self.request = ref(request)
        self._stream = ref(stream)
        self._transport = transport
        self._path = request.path
        self._moved_at = monotonic
        self._unread: int | None = None

    def count_unsent(self) -> int:
        return count_unsent(self._transport) or 0

    def drop(self) -> None:
        self._transport.abortConnection()

    def look(self, monotonic: float) -> None:
        """Hold the stream or let it go on; cut it if nothing of it was read for KEEPALIVE seconds."""
        settings, unsent, unread = get_settings(), self.count_unsent(), count_unread(self._transport)
        stream = self._stream()
        if stream is not None and unsent > settings.MAX_WRITE_BUFFER:
            stream.hold()
        elif stream is not None and unsent <= settings.MAX_WRITE_BUFFER / 2:
            stream.go_on()
        if stream is None or stream.held is None or unread != self._unread:
            self._unread, self._moved_at = unread, monotonic
        elif monotonic - self._moved_at >= settings.KEEPALIVE:
            logger.warning(
                "a stream was cut: its reader took none of %d bytes in %g s; path %r",
                unsent,
                settings.KEEPALIVE,
                self._path.decode("ascii", "replace"),
            )
            self.drop()

    def let_go(self) -> None:
        """Let the stream go on, since its reader has all bytes or is gone."""
        get_buffers().discard(self)
        if (stream := self._stream()) is not None:
            stream.go_on()


#: Returns the streams of the running event loop.
get_unread = PerLoop(Unread)
