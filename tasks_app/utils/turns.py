"""Turns for others, while one coroutine or one thread has much to do."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

#: Seconds of work after which others have a turn.
TURN_SECONDS = 0.002

#: Seconds for which a thread then rests; the event loop, if it waits for the interpreter, goes on meanwhile.
REST_SECONDS = 0.0003


async def take_turns(items: Iterable[T], *, monotonic: Callable[[], float] = time.monotonic) -> AsyncIterator[T]:
    """Yield these items, and let the rest of the event loop have a turn whenever their work took a few milliseconds.

    Args:
        monotonic: the clock.
    """
    end = monotonic() + TURN_SECONDS
    for item in items:
        yield item
        if monotonic() >= end:
            await asyncio.sleep(0)
            end = monotonic() + TURN_SECONDS


def give_way(
    items: Iterable[T],
    *,
    thread_time: Callable[[], float] = time.thread_time,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[T]:
    """Do what `take_turns` does, in a thread, which others would else wait for 5 ms each time that they wake.

    Args:
        thread_time: the clock of what this thread works.
        sleep: lets the other threads go on.
    """
    end = thread_time() + TURN_SECONDS
    for item in items:
        yield item
        if thread_time() >= end:
            sleep(REST_SECONDS)
            end = thread_time() + TURN_SECONDS
