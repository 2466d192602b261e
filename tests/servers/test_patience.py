"""How long a block may wait in an event loop that has more to do, or not."""

import asyncio

import pytest

from tasks_app.servers import patience
from tasks_app.servers.patience import LOOK_SECONDS, MAX_LOOKS, Patience, get_patience


async def test_block_that_ends_in_time_is_left_alone():
    async with Patience().limited():
        await asyncio.sleep(0)


async def test_block_that_waits_for_ever_is_cancelled(monkeypatch):
    monkeypatch.setattr(patience, "LOOK_SECONDS", 0.001)
    with pytest.raises(TimeoutError):
        async with Patience().limited():
            await asyncio.Event().wait()


async def test_block_goes_on_in_a_loop_that_was_blocked_for_longer_than_it_may_wait(monkeypatch):
    loop = asyncio.get_running_loop()
    now = loop.time
    async with Patience().limited():
        monkeypatch.setattr(loop, "time", lambda: now() + 100 * LOOK_SECONDS * MAX_LOOKS)
        for _ in range(MAX_LOOKS):  # turns, in which all that was due by then is done
            await asyncio.sleep(0)


async def test_error_of_the_block_is_its_own():
    with pytest.raises(ZeroDivisionError):
        async with Patience().limited():
            raise ZeroDivisionError


async def test_loop_has_one():
    assert get_patience() is get_patience()
