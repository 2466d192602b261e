"""The HTTP response that carries a stream."""

from collections.abc import AsyncIterator
from typing import Any

from django.http import StreamingHttpResponse

from .frames import CONTENT_TYPE
from .stream import Stream


class EventStreamResponse(StreamingHttpResponse):
    """A response that is iterated as the stream itself, without Django's generators around it."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream, content_type=CONTENT_TYPE, headers=STREAM_HEADERS)

    def __aiter__(self) -> AsyncIterator[Any]:
        iterator: object = self._iterator  # type: ignore[attr-defined]  # a middleware may have replaced it
        if isinstance(iterator, Stream):
            return iterator
        wrapped: AsyncIterator[Any] = super().__aiter__()
        return wrapped


#: `identity` keeps out GZipMiddleware, which on Django 5.2 compresses each chunk separately.
STREAM_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
    "Content-Encoding": "identity",
}
