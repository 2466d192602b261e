"""The response that carries a stream."""

from collections.abc import AsyncIterator
from typing import Any

from django.http import StreamingHttpResponse

from .frames import CONTENT_TYPE
from .outlet import Outlet
from .stream import Stream


class EventStreamResponse(StreamingHttpResponse):
    """A streaming response that gives the server the stream itself, without Django's generators around it."""

    def __init__(self, stream: Stream) -> None:
        #: What the server was given as `send`, if it may be used past Django.
        self.outlet: Outlet | None = None
        super().__init__(stream, content_type=CONTENT_TYPE, headers=STREAM_HEADERS)

    def __aiter__(self) -> AsyncIterator[Any]:
        iterator: object = self._iterator  # type: ignore[attr-defined]  # whatever a middleware made of the content
        if isinstance(iterator, Stream):
            if self.outlet is not None:
                iterator.send_by(self.outlet)
            return iterator
        wrapped: AsyncIterator[Any] = super().__aiter__()
        return wrapped


#: `identity` keeps GZipMiddleware out, which on Django 5.2 compresses each chunk by itself.
STREAM_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
    "Content-Encoding": "identity",
}
