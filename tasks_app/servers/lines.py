"""The lines before the application: who may go in now, and who waits for how many others."""

import asyncio
from collections import Counter, deque

from ..conf import get_settings

#: How many requests the application has in work at a time; more are not faster, and cost more each.
IN_WORK = 32


class Lines:
    """The requests that the application has in work in one event loop, and those that wait, a line for each client.

    A place is given to the client whose turn is next. So a client waits for its own requests, and for the few that
    each of the others may have in work, however many these have sent.
    """

    def __init__(self) -> None:
        self._in_work: Counter[str] = Counter()
        #: The client whose turn is next is the first.
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}

    def take(self, client: str) -> bool:
        """Take a place for a client at once, unless it must wait; return whether it was taken."""
        is_free = client not in self._lines and self._in_work.total() < IN_WORK and self._may_have_more(client)
        if is_free:
            self._in_work[client] += 1
        return is_free

    def line_up(self, client: str) -> "asyncio.Future[None]":
        """Return what is done once the client has a place for one more request; cancel it to leave the line."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(client, deque()).append(place)
        return place

    def give_back(self, client: str) -> None:
        """Give a place of a client to whose turn it is."""
        self._in_work[client] -= 1
        if not self._in_work[client]:
            del self._in_work[client]
        while self._in_work.total() < IN_WORK and (following := self._find_next()) is not None:
            self._let_in(following)

    def _find_next(self) -> str | None:
        """Return the client whose turn is next; those passed over have places, so they are few."""
        return next((client for client in self._lines if self._may_have_more(client)), None)

    def _let_in(self, client: str) -> None:
        """Give a place to the first in the line of a client, unless all have left it; its next turn is the last."""
        line = self._lines.pop(client)
        while line and line[0].done():
            line.popleft()
        if line:
            line.popleft().set_result(None)
            self._in_work[client] += 1
        if line:
            self._lines[client] = line

    def _may_have_more(self, client: str) -> bool:
        limit = get_settings().MAX_REQUESTS_PER_CLIENT
        return limit is None or self._in_work[client] < limit
