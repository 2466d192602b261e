"""A limit for waiting, counted in turns of the event loop, so that a loop that is behind waits longer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import Context

from ..utils.per_loop import PerLoop

#: Seconds between two looks at what waits, and the looks for which it may wait.
LOOK_SECONDS, MAX_LOOKS = 0.05, 10


class Patience:
    """The limit of all blocks that wait in one event loop; one timer serves them.

    After a deploy thousands of streams are opened at once. They then wait for the loop more than for the cache, and a
    limit in seconds would end them before the loop could tell them that what they wait for is there.
    """

    def __init__(self) -> None:
        self._looks = 0
        #: The number of the look that ends each block.
        self._last_looks: dict[asyncio.Timeout, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def limited(self) -> AsyncIterator[None]:
        """Cancel this block if it has not ended after MAX_LOOKS looks.

        Raises:
            TimeoutError: it was cancelled.
        """
        async with asyncio.timeout(None) as limit:
            self._last_looks[limit] = self._looks + MAX_LOOKS
            self._plan()
            try:
                yield
            finally:
                self._last_looks.pop(limit, None)

    def _plan(self) -> None:
        if self._timer is None and self._last_looks:
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look, context=Context())

    def _look(self) -> None:
        self._looks += 1
        for limit in [limit for limit, last in self._last_looks.items() if last <= self._looks]:
            del self._last_looks[limit]
            limit.reschedule(0)  # long ago
        self._timer = None
        self._plan()


#: Returns the limits of the running event loop.
get_patience = PerLoop(Patience)
