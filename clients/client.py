#!/usr/bin/env python
"""Start a task and follow its progress over Server-Sent Events, with aiohttp.

    python clients/client.py
    python clients/client.py --task simulate --kwargs '{"duration": 3}'

The exit status is 0 only when the task succeeded, 1 when it did not or can't be followed, 130 after Ctrl-C, 141 when
nobody reads the output.
"""

import asyncio
import codecs
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urljoin

import aiohttp
from common.connection import PROBLEM, Answer, Interrupted, Reconnection, TaskError, describe_error, find_type
from common.display import Display, Row, open_display
from common.script import make_parser, make_request, run
from common.texts import Snapshot, explain, has_ended

#: Seconds. A stream has no time limit, but the server sends a comment at least every 15 seconds.
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=45)


def main() -> int:
    """Run the script and return its exit status."""
    arguments = make_parser("Start a task and follow its progress.").parse_args()
    display = open_display()
    work = partial(start_and_show, arguments.url, make_request(arguments), display, arguments.timeout)
    return run(lambda: asyncio.run(work()), display)


async def start_and_show(url: str, request: dict[str, Any], display: Display, reconnect_for: float) -> None:
    """Start one task and show its progress until it has succeeded."""
    async with open_session() as session:
        with display:
            await run_task(session, url, request, display.rows[0], reconnect_for)


async def run_task(
    session: aiohttp.ClientSession, url: str, request: dict[str, Any], row: Row, reconnect_for: float
) -> None:
    """Start a task and show each of its snapshots until it has succeeded.

    Args:
        reconnect_for: the seconds for which it reconnects while the site is away.

    Raises:
        TaskError: the task ended in another way, or can't be started or followed.
    """
    try:
        row.task_id, progress_url = await start_task(session, url, request)
        async for snapshot in follow(session, progress_url, Reconnection(reconnect_for, row.tell)):
            row.show(snapshot)
        if row.state != "succeeded":
            raise TaskError(explain(row.snapshot))
    except TaskError:
        row.is_given_up = True
        raise


async def start_task(session: aiohttp.ClientSession, url: str, request: dict[str, Any]) -> tuple[str, str]:
    """Start the requested task, or the server's default, and return its id and the URL of its progress.

    Args:
        url: the address of the site.
        request: the body of the request; empty for the default task.

    Raises:
        TaskError: the task can't be started.
    """
    start_url = url.rstrip("/") + "/start-task"
    try:
        async with session.post(start_url, json=request or None, allow_redirects=False) as response:
            if response.status != 202:
                raise TaskError(f"POST {start_url} {(await read_answer(response)).describe()}")
            started: dict[str, str] = await response.json()
            return started["task_id"], urljoin(start_url, started["progress_url"])
    except (aiohttp.ClientError, OSError) as error:
        raise TaskError(f"Can't reach {url!r}: {describe_error(error)}") from error


async def follow(
    session: aiohttp.ClientSession, url: str, reconnection: Reconnection | None = None
) -> AsyncIterator[Snapshot]:
    """Yield the snapshots of a task up to its last one, with reconnects as needed.

    Raises:
        TaskError: the task can't be followed.
    """
    reconnection = reconnection or Reconnection()
    decoder = EventDecoder()
    while True:
        reason, retry_after = "the stream ended before the task did", 0.0
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
                        if event.name != "message":  # such as `end`, which repeats the last snapshot
                            continue
                        snapshot = json.loads(event.data)
                        yield snapshot
                        if has_ended(snapshot):
                            return
        except Interrupted as refusal:
            reason, retry_after = refusal.reason, refusal.retry_after
        except aiohttp.ClientPayloadError:
            pass  # it ended inside a chunk
        except (aiohttp.ClientError, OSError) as error:
            reason = describe_error(error)
        await asyncio.sleep(reconnection.fail(url, reason, max(decoder.retry, retry_after)))


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


def open_session() -> aiohttp.ClientSession:
    """Return a session without limits on the duration and the number of its streams."""
    return aiohttp.ClientSession(timeout=TIMEOUT, connector=aiohttp.TCPConnector(limit=0))


if __name__ == "__main__":
    sys.exit(main())
