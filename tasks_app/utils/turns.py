"""Turns of the event loop for others, while one coroutine has much to do."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

#: Seconds of work after which others have a turn.
TURN_SECONDS = 0.005


async def take_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """Yield these items, and let others have a turn whenever their work took a few milliseconds."""
    end = time.monotonic() + TURN_SECONDS
    for item in items:
        yield item
        if time.monotonic() >= end:
            await asyncio.sleep(0)
            end = time.monotonic() + TURN_SECONDS
