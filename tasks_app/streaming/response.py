"""The HTTP response that carries a stream."""

from collections.abc import AsyncIterator
from typing import Any

from django.http import StreamingHttpResponse

from .frames import CONTENT_TYPE
from .stream import Stream
from .unread import get_unread


class EventStreamResponse(StreamingHttpResponse):
    """A response that is iterated as the stream itself, without Django's generators around it.

    Args:
        request_headers: those in the scope of the request, by which a guard finds the stream in the server.
    """

    def __init__(self, stream: Stream, *, request_headers: object = None) -> None:
        super().__init__(stream, content_type=CONTENT_TYPE, headers=STREAM_HEADERS)
        if request_headers is not None:
            get_unread().add(stream, request_headers)

    def __aiter__(self) -> AsyncIterator[Any]:
        iterator: object = self._iterator  # type: ignore[attr-defined]  # a middleware may have replaced it
        if isinstance(iterator, Stream):
            return iterator
        wrapped: AsyncIterator[Any] = super().__aiter__()
        return wrapped


#: `identity` keeps out GZipMiddleware, which on Django 5.2 compresses each chunk separately.
STREAM_HEADERS = {
    "Cache-Control": "private, no-cache, no-transform",
    "X-Accel-Buffering": "no",
    "Content-Encoding": "identity",
}
