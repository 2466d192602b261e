"""Others have a turn while one coroutine has much to do."""

import asyncio
from types import SimpleNamespace

from tasks_app.utils.turns import TURN_SECONDS, take_turns


async def count_turns(items: int, *, seconds: float) -> int:
    """Return how often another coroutine had a turn while each item took so many seconds."""
    turns, clock = 0, SimpleNamespace(now=0.0)

    async def take() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(take())
    async for _ in take_turns(range(items), monotonic=lambda: clock.now):
        clock.now += seconds
    other.cancel()
    return turns


async def test_others_have_a_turn_whenever_the_work_took_a_while():
    assert await count_turns(5, seconds=TURN_SECONDS) == 5


async def test_work_that_takes_no_time_is_not_interrupted():
    assert await count_turns(5, seconds=0) == 0


async def test_all_items_come_in_their_order():
    assert [item async for item in take_turns(range(9))] == list(range(9))
