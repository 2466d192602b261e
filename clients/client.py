#!/usr/bin/env python
"""Start a task and follow its progress over Server-Sent Events, with aiohttp.

    python clients/client.py
    python clients/client.py --task simulate --arg duration=3
    python clients/client.py --task-id 16R5vEv39Hq5ocIDUMmPNkADzHrJ0OrZ --logs

The exit status is 0 only when the task succeeded; `--help` has the others, and all options.
"""

import asyncio
import codecs
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import aiohttp
from common.connection import PROBLEM, Answer, describe_error, find_type
from common.display import Display, Row
from common.lines import open_display
from common.messages import read_event, read_start
from common.reconnection import Interrupted, NotSucceeded, Reconnection, TaskError
from common.script import Order, check_options, make_parser, run
from common.texts import LogLine, Snapshot, explain, has_ended

#: Seconds. A stream has no time limit, but the server sends a comment at least every 15 seconds.
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=45)


def main() -> int:
    """Run the script and return its exit status."""
    parser = make_parser("Start a task, or take one that was started, and follow its progress.")
    parser.add_argument("--task-id", metavar="ID", help="a task that was started before")
    arguments = parser.parse_args()
    check_options(parser, arguments)
    display = open_display(as_json=arguments.json, is_quiet=arguments.quiet)
    return run(lambda: asyncio.run(show_task(Order.of(arguments), arguments.task_id, display)), display)


async def show_task(order: Order, task_id: str | None, display: Display) -> None:
    """Show the progress of one task until it has succeeded; None starts one."""
    async with open_session(order.headers) as session:
        with display:
            await run_task(session, order, display.rows[0], task_id)


async def run_task(session: aiohttp.ClientSession, order: Order, row: Row, task_id: str | None = None) -> None:
    """Show each snapshot of a task until it has succeeded.

    Args:
        task_id: a task that was started before; None starts one.

    Raises:
        NotSucceeded: the task ended in another way.
        TaskError: it can't be started or followed.
    """
    try:
        row.task_id, url = (task_id, order.find_progress_url(task_id)) if task_id else await start_task(session, order)
        reconnection = Reconnection(order.timeout, row.tell)
        async for snapshot in follow(session, order.ask_for_log(url), reconnection, row.log):
            row.show(snapshot)
        if row.state != "succeeded":
            raise NotSucceeded(explain(row.snapshot))
    except TaskError:
        row.is_given_up = True
        raise


async def start_task(session: aiohttp.ClientSession, order: Order) -> tuple[str, str]:
    """Start the requested task, or the server's default, and return its id and the URL of its progress.

    Raises:
        TaskError: the task can't be started.
    """
    url = order.start_url
    try:
        async with session.post(url, json=order.request or None, allow_redirects=False) as response:
            if response.status != 202:
                raise TaskError(f"POST {url} {(await read_answer(response)).describe()}")
            return read_start(await response.read(), url)
    except (aiohttp.ClientError, OSError) as error:
        raise TaskError(f"Can't reach {order.url!r}: {describe_error(error)}") from error


async def follow(
    session: aiohttp.ClientSession,
    url: str,
    reconnection: Reconnection | None = None,
    show_log: Callable[[list[LogLine]], None] = lambda lines: None,
) -> AsyncIterator[Snapshot]:
    """Yield the snapshots of a task up to its last one, with reconnects as needed.

    Args:
        url: the address of its progress, with `?logs=1` if its log is wanted.
        show_log: called with new lines of its log.

    Raises:
        TaskError: the task can't be followed.
    """
    reconnection = reconnection or Reconnection()
    decoder = EventDecoder()
    while True:
        interrupted = Interrupted("the stream ended before the task did")
        try:
            async with session.get(
                url, headers=make_headers(decoder.last_event_id), allow_redirects=False
            ) as response:
                if response.status == 204:  # the client has seen the last snapshot
                    return
                (await read_answer(response)).check_stream()
                decoder.reset()
                async for chunk in response.content.iter_any():
                    reconnection.succeed()
                    for event in decoder.feed(chunk):
                        if event.name not in ("log", "message"):  # such as `end`, which repeats the last snapshot
                            continue
                        data = read_event(event.name, event.data)
                        reconnection.note_read()
                        if event.name == "log":
                            show_log(data["lines"])
                            continue
                        yield data
                        if has_ended(data):
                            return
        except Interrupted as refusal:
            interrupted = refusal
        except aiohttp.ClientPayloadError:
            pass  # it ended inside a chunk
        except (aiohttp.ClientError, OSError) as error:
            interrupted = Interrupted(describe_error(error))
        await asyncio.sleep(reconnection.fail(url, interrupted, decoder.retry))


def make_headers(last_event_id: str) -> dict[str, str]:
    """Return the headers of a request for the events after this one."""
    headers = {"Accept": "text/event-stream"}
    return {**headers, "Last-Event-ID": last_event_id} if last_event_id else headers


async def read_answer(response: aiohttp.ClientResponse) -> Answer:
    """Return the answer that a response begins; of its body, only a problem is read."""
    body = await response.text() if find_type(response.headers) == PROBLEM else ""
    request = f"{response.method} {response.url}"
    return Answer(request, response.status, response.reason or "", response.headers, body)


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream."""

    data: str
    name: str = "message"


class EventDecoder:
    """A decoder of the events in the bytes of a stream, whose chunks may end anywhere.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

    Attributes:
        last_event_id: the id of the last event; a client that reconnects sends it.
        retry: the seconds that a client waits before it reconnects, as set by the server.
    """

    last_event_id = ""
    retry = 2.0

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin a new connection, and drop the unfinished event of the last one."""
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._rest = ""
        self._ends_with_cr = False
        self._id = self.last_event_id
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that these bytes complete."""
        for line in self._take_lines(self._utf8.decode(chunk)):
            if line:
                self._read_field(line)
            elif event := self._take_event():
                yield event

    def _take_lines(self, text: str) -> list[str]:
        if not text:
            return []
        if self._ends_with_cr:  # a line feed then belongs to the same line end
            text = text.removeprefix("\n")
        self._ends_with_cr = text.endswith("\r")
        *lines, self._rest = re.split("\r\n|\n|\r", self._rest + text)
        return lines

    def _read_field(self, line: str) -> None:
        name, _, value = line.partition(":")  # a comment begins with the colon, so its name is empty
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._name = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                self.retry = int(value) / 1000

    def _take_event(self) -> Event | None:
        data, name = self._data, self._name or "message"
        self._data, self._name = [], ""
        self.last_event_id = self._id
        return Event("\n".join(data), name) if data else None


def open_session(headers: dict[str, str] | None = None) -> aiohttp.ClientSession:
    """Return a session without limits on the duration and the number of its streams.

    Args:
        headers: those of each request.
    """
    return aiohttp.ClientSession(timeout=TIMEOUT, connector=aiohttp.TCPConnector(limit=0), headers=headers)


if __name__ == "__main__":
    sys.exit(main())
