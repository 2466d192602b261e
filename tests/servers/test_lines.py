"""In which order the requests of clients go in, of which one asks for far more than its share."""

import asyncio

import pytest

from tasks_app.servers import lines
from tasks_app.servers.lines import FREE_TURNS, Lines


class Queue:
    """Lines, of which it notes which requests have gone in, and in which order.

    Attributes:
        order: the clients of all requests that have gone in.
    """

    def __init__(self) -> None:
        self.lines = Lines()
        self.order: list[str] = []
        self._places: dict[str, list[int]] = {}

    def ask(self, *clients: str) -> list["asyncio.Future[int]"]:
        """Have each of these clients send a request; return the turns of those that must wait."""
        return [turn for client in clients if (turn := self._ask(client)) is not None]

    async def answer(self, client: str) -> None:
        """Answer the oldest request that a client has in work."""
        self.lines.give_back(self._places[client].pop(0))
        await asyncio.sleep(0)  # whose turn it is notes that it has gone in

    async def answer_all(self, client: str, number: int) -> None:
        """Answer so many requests of a client, each once it has gone in."""
        for _ in range(number):
            await self.answer(client)

    def count_in_work(self, client: str) -> int:
        return len(self._places.get(client, ()))

    def _ask(self, client: str) -> "asyncio.Future[int] | None":
        if (place := self.lines.take(client)) is not None:
            self._note(client, place)
            return None
        turn = self.lines.line_up(client)
        turn.add_done_callback(lambda turn: turn.cancelled() or self._note(client, turn.result()))
        return turn

    def _note(self, client: str, place: int) -> None:
        self.order.append(client)
        self._places.setdefault(client, []).append(place)


@pytest.fixture
def queue(settings) -> Queue:
    """Lines of which each client may have two requests in work."""
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_REQUESTS_PER_CLIENT": 2}
    return Queue()


async def make_long(queue: Queue, *clients: str) -> None:
    """Have clients send so much that their lines are long, and that each has one request in work."""
    for client in clients:
        queue.ask(*[client] * 100)
        await queue.answer_all(client, FREE_TURNS + 1)


async def test_client_with_a_long_line_has_one_request_in_work(queue):
    await make_long(queue, "h")
    await queue.answer_all("h", 5)
    assert queue.count_in_work("h") == 1


async def test_line_that_is_not_long_goes_in_as_places_become_free(queue):
    queue.ask("a", *"hhhhhh")
    await queue.answer_all("h", 3)
    assert queue.count_in_work("h") == 2


async def test_client_that_asks_for_little_goes_in_at_once_beside_a_long_line(queue):
    await make_long(queue, "h")
    assert queue.ask("a") == []


async def test_nothing_of_a_long_line_goes_in_while_what_came_before_is_in_work(queue):
    await make_long(queue, "h")
    queue.ask("a")
    await queue.answer("h")
    assert queue.count_in_work("h") == 0


async def test_long_line_goes_on_once_what_came_before_is_answered(queue):
    await make_long(queue, "h")
    queue.ask("a")
    await queue.answer("h")
    await queue.answer("a")
    assert queue.count_in_work("h") == 1


async def test_long_line_is_not_starved_by_clients_that_come_without_end(queue):
    await make_long(queue, "h")
    queue.ask("a")
    for client, following in ["ab", "bc", "cd", "de"]:
        await queue.answer("h")
        queue.ask(following)
        await queue.answer(client)
    assert queue.order[-9:] == [*"a", *"bh", *"ch", *"dh", *"eh"]


async def test_clients_with_long_lines_take_turns(queue):
    await make_long(queue, "g", "h")
    begun = len(queue.order)
    for client in "ghghgh":
        await queue.answer(client)
    assert queue.order[begun:] == [*"ghghgh"]


async def test_client_that_is_alone_has_all_of_its_places(queue, monkeypatch):
    monkeypatch.setattr(lines, "ALONE", 20)
    await make_long(queue, "h")
    await queue.answer_all("h", 20)
    assert queue.count_in_work("h") == 2


async def test_client_is_alone_no_more_once_another_comes(queue, monkeypatch):
    monkeypatch.setattr(lines, "ALONE", 20)
    await make_long(queue, "h")
    await queue.answer_all("h", 20)
    queue.ask("a")
    await queue.answer_all("h", 2)
    assert queue.count_in_work("h") == 0


async def test_line_begins_again_once_it_was_empty(queue):
    queue.ask(*"h" * (FREE_TURNS + 4))
    await queue.answer_all("h", FREE_TURNS + 4)
    queue.ask(*"hhhh")
    await queue.answer("h")
    assert queue.count_in_work("h") == 2


async def test_no_line_is_long_where_clients_have_no_limit(queue, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_REQUESTS_PER_CLIENT": None}
    queue.ask(*"h" * 100)
    await queue.answer_all("h", 2 * FREE_TURNS)
    assert queue.count_in_work("h") == lines.IN_WORK


async def test_long_line_that_all_have_left_is_forgotten(queue):
    turns = queue.ask(*"h" * 100)
    await queue.answer_all("h", FREE_TURNS + 1)
    queue.ask("a")
    await queue.answer("h")
    for turn in turns:
        turn.cancel()
    await queue.answer("a")
    assert not queue.lines.has_long("h")
