"""Turns of the event loop for others, while one coroutine has much to do."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")

#: Seconds of work after which others have a turn.
TURN_SECONDS = 0.005


async def take_turns(items: Iterable[T], *, monotonic: Callable[[], float] = time.monotonic) -> AsyncIterator[T]:
    """Yield these items, and let others have a turn whenever their work took a few milliseconds.

    Args:
        monotonic: the clock.
    """
    end = monotonic() + TURN_SECONDS
    for item in items:
        yield item
        if monotonic() >= end:
            await asyncio.sleep(0)
            end = monotonic() + TURN_SECONDS
