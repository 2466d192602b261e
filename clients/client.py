#!/usr/bin/env python
"""Start a task and follow its progress over Server-Sent Events, with aiohttp.

    python clients/client.py
    python clients/client.py --task simulate --kwargs '{"duration": 3}'

The exit status is 0 only when the task succeeded, 1 when it did not or can't be followed, 130 after Ctrl-C.
"""

import argparse
import asyncio
import codecs
import json
import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import aiohttp
from rich.progress import BarColumn, Progress, TaskID, TextColumn

Snapshot = dict[str, Any]

#: The number of reconnects without an event, after which the client gives up.
MAX_ATTEMPTS = 5

#: Seconds. A stream has no time limit, but the server sends a comment at least every 15 seconds.
TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=45)


class TaskError(Exception):
    """A task that did not succeed, or whose end is unknown; the message is for the user."""


def main() -> int:
    """Run the script and return its exit status."""
    arguments = make_parser("Start a task and follow its progress.").parse_args()
    return run(start_and_show(arguments.url, make_request(arguments)))


async def start_and_show(url: str, request: dict[str, Any]) -> None:
    """Start one task and show its progress until it has succeeded."""
    async with open_session() as session:
        with Display() as display:
            await run_task(session, url, request, display.show)


async def run_task(
    session: aiohttp.ClientSession, url: str, request: dict[str, Any], show: Callable[[Snapshot], None]
) -> None:
    """Start a task and pass on each of its snapshots until it has succeeded.

    Raises:
        TaskError: the task ended in another way, or can't be started or followed.
    """
    snapshot: Snapshot = {}
    async for snapshot in follow(session, await start_task(session, url, request)):
        show(snapshot)
    if snapshot.get("state") != "succeeded":
        raise TaskError(explain(snapshot))


async def start_task(session: aiohttp.ClientSession, url: str, request: dict[str, Any]) -> str:
    """Start the requested task, or the server's default, and return the URL of its progress.

    Args:
        url: the address of the site.
        request: the body of the request; empty for the default task.

    Raises:
        TaskError: the task can't be started.
    """
    start_url = url.rstrip("/") + "/start-task"
    try:
        async with session.post(start_url, json=request or None) as response:
            if response.status != 202:
                raise TaskError(await describe(response))
            answer: dict[str, str] = await response.json()
            return urljoin(start_url, answer["progress_url"])
    except (aiohttp.ClientError, OSError) as error:
        raise TaskError(f"Can't reach {url!r}: {type(error).__name__}: {error}") from error


async def follow(session: aiohttp.ClientSession, url: str) -> AsyncIterator[Snapshot]:
    """Yield the snapshots of a task up to its last one, with reconnects as needed.

    Raises:
        TaskError: the task can't be followed.
    """
    decoder = EventDecoder()
    attempts = 0
    while True:
        reason = "the stream ended before the task did"
        try:
            async with session.get(url, headers=make_headers(decoder.last_event_id)) as response:
                if response.status == 204:  # the client has seen the last snapshot
                    return
                await check_stream(response)
                async for event in read_events(response, decoder):
                    attempts = 0
                    if event.name != "message":  # such as `end`, which repeats the last snapshot
                        continue
                    snapshot = json.loads(event.data)
                    yield snapshot
                    if snapshot["state"] not in ("queued", "running"):
                        return
        except (aiohttp.ClientError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
        if attempts == MAX_ATTEMPTS:
            raise TaskError(f"Lost {url} and gave up after {attempts} attempts to reconnect: {reason}")
        attempts += 1
        await asyncio.sleep(decoder.retry)


async def read_events(response: aiohttp.ClientResponse, decoder: "EventDecoder") -> AsyncIterator["Event"]:
    """Yield the events of one connection as they come."""
    decoder.reset()
    async for chunk in response.content.iter_any():
        for event in decoder.feed(chunk):
            yield event


def make_headers(last_event_id: str) -> dict[str, str]:
    """Return the headers of a request for the events after this one."""
    headers = {"Accept": "text/event-stream"}
    return {**headers, "Last-Event-ID": last_event_id} if last_event_id else headers


async def check_stream(response: aiohttp.ClientResponse) -> None:
    """Check that a response is a stream.

    Raises:
        aiohttp.ClientResponseError: another attempt may succeed: the status is 429, or 500 or more.
        TaskError: another attempt can't succeed, such as after 404 for a task that is gone.
    """
    if response.status == 429 or response.status >= 500:
        response.raise_for_status()
    if response.status != 200 or response.content_type != "text/event-stream":
        raise TaskError(await describe(response))


async def describe(response: aiohttp.ClientResponse) -> str:
    """Return an unexpected response as text, with the `detail` of a problem (RFC 9457)."""
    text = f"{response.method} {response.url} answered {response.status} {response.reason}"
    if response.content_type != "application/problem+json":
        return f"{text} ({response.content_type})"
    problem = await response.json(content_type=None)
    return f"{text}: {problem['detail']}"


def explain(snapshot: Snapshot) -> str:
    """Return why a task did not succeed."""
    text = f"The task ended as {snapshot.get('state')!r}"
    if error := snapshot.get("error"):
        text += f": {error['type']}: {error['message']}"
    return to_line(text)


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


class Display:
    """A display of snapshots: a bar for each task in a terminal, else a line for each snapshot."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._bars = Progress(
            TextColumn("{task.fields[label]}{task.completed:>3d}%", markup=False),
            BarColumn(),
            TextColumn("{task.description}", markup=False),
            disable=not self._is_terminal,
        )
        self._rows: dict[str, TaskID] = {}

    def __enter__(self) -> "Display":
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def show(self, snapshot: Snapshot, label: str = "") -> None:
        """Show a snapshot of the task that has this label."""
        progress, status = snapshot["progress"], to_line(snapshot["status"])
        if not self._is_terminal:
            print(f"{label}{progress:3d}%  {status}", flush=True)
            return
        if label not in self._rows:
            self._rows[label] = self._bars.add_task(status, total=100, label=label)
        self._bars.update(self._rows[label], completed=progress, description=status)


def to_line(text: str) -> str:
    """Return text with a space for each line end or control character, which would disturb a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def make_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of the options for the site and the task to start."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--url", default="http://localhost:8000", help="the site (default: %(default)s)")
    parser.add_argument("--task", metavar="NAME", help="what to start (default: the site's default task)")
    parser.add_argument("--kwargs", metavar="JSON", type=json.loads, help="its arguments, as a JSON object")
    return parser


def make_request(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the body of the request, with only the options that were given."""
    given = {"task": arguments.task, "kwargs": arguments.kwargs}
    return {name: value for name, value in given.items() if value is not None}


def open_session() -> aiohttp.ClientSession:
    """Return a session without limits on the duration and the number of its streams."""
    return aiohttp.ClientSession(timeout=TIMEOUT, connector=aiohttp.TCPConnector(limit=0))


def run(work: Coroutine[Any, Any, None]) -> int:
    """Run a coroutine to its end and return the exit status."""
    try:
        asyncio.run(work)
    except TaskError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
