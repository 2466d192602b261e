"""The lines before the application: who may go in now, and who waits for how many others."""

import asyncio
from collections import Counter, deque
from math import inf

from ..conf import get_settings

#: How many requests the application has in work at a time; more are not faster, and cost more each.
IN_WORK = 32

#: How many of a line go in as places become free: more than a page asks for at once. A line that has let in so many is
#: long: one goes in at a time, after what others have in work then.
FREE_TURNS = 10

#: How many requests of one client in a row show that nobody else comes, so that it may have all of its places.
ALONE = 1000


class Lines:
    """The requests that the application has in work in one event loop, and those that wait, a line for each client.

    A place is given to the client whose turn is next. So a client waits for its own requests, and for the few that
    each of the others may have in work, however many these have sent. Of those with a long line, it waits for what is
    in work when it comes, and not for what they send in after that.
    """

    def __init__(self) -> None:
        #: The client of each request in work, by the number of its place; the oldest is the first.
        self._in_work: dict[int, str] = {}
        self._counts: Counter[str] = Counter()
        #: The client whose turn is next is the first.
        self._lines: dict[str, _Line] = {}
        #: Long lines, while others are served; the one that has rested for the longest is the first.
        self._resting: dict[str, _Line] = {}
        self._last_place = 0
        #: The client that was given the last place, and the first of the places in a row that it was given.
        self._last_client, self._row_begin = "", 0

    def take(self, client: str) -> int | None:
        """Take a place for a client at once; return its number, or None if the client must wait."""
        has_line = client in self._lines or client in self._resting
        if has_line or len(self._in_work) >= IN_WORK or not self._may_have_more(client):
            return None
        return self._occupy(client)

    def line_up(self, client: str) -> "asyncio.Future[int]":
        """Return what has the number of a place once there is one for this request; cancel it to leave the line."""
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        line = self._resting.get(client) or self._lines.setdefault(client, _Line())
        line.turns.append(turn)
        return turn

    def has_long(self, client: str) -> bool:
        """Return whether the line of a client is long; it moves, so its end is to wait as well."""
        line = self._lines.get(client) or self._resting.get(client)
        return line is not None and line.served >= FREE_TURNS and get_settings().MAX_REQUESTS_PER_CLIENT is not None

    def give_back(self, place: int) -> None:
        """Give a place to the client whose turn it is."""
        client = self._in_work.pop(place)
        self._counts[client] -= 1
        if not self._counts[client]:
            del self._counts[client]
        if self._must_rest(client):
            self._let_rest(client)
        self._wake()
        while len(self._in_work) < IN_WORK and (following := self._find_next()) is not None:
            self._let_in(following)

    def _let_rest(self, client: str) -> None:
        """Have the line of a client wait until all is answered that is in work now."""
        line = self._lines.pop(client, None) or self._resting.pop(client)
        line.rests_until = self._last_place
        self._resting[client] = line

    def _must_rest(self, client: str) -> bool:
        is_alone = client == self._last_client and self._last_place - self._row_begin >= ALONE
        return not is_alone and self.has_long(client)

    def _wake(self) -> None:
        """End the rest of the lines for which all is answered that was in work when it began."""
        oldest = next(iter(self._in_work), inf)
        while self._resting:
            client, line = next(iter(self._resting.items()))
            if line.rests_until >= oldest:
                break
            self._lines[client] = self._resting.pop(client)

    def _find_next(self) -> str | None:
        """Return the client whose turn is next; those passed over have places, so they are few."""
        return next((client for client in self._lines if self._may_have_more(client)), None)

    def _let_in(self, client: str) -> None:
        """Give a place to the first in the line of a client, unless all have left it; its next turn is the last."""
        line = self._lines.pop(client)
        while line.turns and line.turns[0].done():
            line.turns.popleft()
        if line.turns:
            line.turns.popleft().set_result(self._occupy(client))
            line.served += 1
        if line.turns:
            self._lines[client] = line

    def _occupy(self, client: str) -> int:
        self._last_place += 1
        self._in_work[self._last_place] = client
        self._counts[client] += 1
        if client != self._last_client:
            self._last_client, self._row_begin = client, self._last_place
        return self._last_place

    def _may_have_more(self, client: str) -> bool:
        limit = 1 if self._must_rest(client) else get_settings().MAX_REQUESTS_PER_CLIENT
        return limit is None or self._counts[client] < limit


class _Line:
    """The requests of one client that wait.

    Attributes:
        served: how many have gone in since the line began.
        rests_until: the last of the places that must be free before its next turn.
    """

    __slots__ = ("rests_until", "served", "turns")

    def __init__(self) -> None:
        self.turns: deque[asyncio.Future[int]] = deque()
        self.served = self.rests_until = 0
