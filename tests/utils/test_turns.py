"""Others have a turn while one coroutine has much to do."""

import asyncio
from types import SimpleNamespace

from tasks_app.utils.turns import REST_SECONDS, TURN_SECONDS, give_way, take_turns


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


def count_rests(items: int, *, seconds: float) -> int:
    """Return how often a thread rests while each item takes so many seconds of its time."""
    clock, rests = SimpleNamespace(now=0.0), []
    for _ in give_way(range(items), thread_time=lambda: clock.now, sleep=rests.append):
        clock.now += seconds
    assert set(rests) <= {REST_SECONDS}
    return len(rests)


def test_thread_rests_whenever_it_worked_for_a_while():
    assert count_rests(5, seconds=TURN_SECONDS) == 5


def test_thread_that_worked_for_a_moment_does_not_rest():
    assert count_rests(5, seconds=0) == 0


def test_thread_that_rests_leaves_nothing_out():
    assert list(give_way(range(9))) == list(range(9))
