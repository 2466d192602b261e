"""FastAPI with sse-starlette, as its documentation shows it: a generator per viewer."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from sse_starlette import EventSourceResponse

from benchmarks.pulse import make_payload, run_job

application = FastAPI()
_viewers: set[asyncio.Queue[str]] = set()


@application.post("/pulse")
async def start_pulse(interval: float) -> dict[str, str]:
    """Start a publisher."""
    run_job(_put, interval=interval)
    return {"stream": "/stream"}


@application.get("/stream")
async def stream() -> EventSourceResponse:
    """Stream from a queue of this viewer."""
    return EventSourceResponse(_generate())


async def _generate() -> AsyncIterator[dict[str, str]]:
    queue: asyncio.Queue[str] = asyncio.Queue()
    _viewers.add(queue)
    try:
        yield {"data": make_payload()}
        while True:
            yield {"data": await queue.get()}
    finally:
        _viewers.discard(queue)


def _put(payload: str) -> None:
    for queue in _viewers:
        queue.put_nowait(payload)
