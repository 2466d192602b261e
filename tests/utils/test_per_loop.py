"""Values that exist once per event loop."""

import asyncio
import gc
import weakref
from typing import Any

from tasks_app.utils.per_loop import PerLoop


class Value:
    """A value that refers to its loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()


async def test_value_of_a_loop_stays():
    get_value = PerLoop(Value)
    assert get_value() is get_value()


def test_each_loop_has_its_own():
    get_value = PerLoop(Value)

    async def use() -> Any:
        return get_value()

    assert asyncio.run(use()) is not asyncio.run(use())


def test_value_of_a_closed_loop_is_forgotten():
    get_value = PerLoop(Value)

    async def use() -> Any:
        return weakref.ref(get_value())

    references = [asyncio.run(use()) for _ in range(3)]
    gc.collect()
    assert [reference() is None for reference in references] == [True, True, False]
