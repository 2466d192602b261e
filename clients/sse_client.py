#!/usr/bin/env python
"""Start a task and follow its progress over Server-Sent Events, with requests and sseclient-py.

    python clients/sse_client.py
    python clients/sse_client.py --task simulate --kwargs '{"duration": 3}'

The exit status is 0 only when the task succeeded, 1 when it did not or can't be followed, 130 after Ctrl-C.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import requests
from sseclient import SSEClient

Snapshot = dict[str, Any]

#: The number of reconnects without an event, after which the client gives up.
MAX_ATTEMPTS = 5

#: Seconds between two attempts, until the server says another number.
RETRY = 2.0

#: Seconds to connect, and of silence; the server sends a comment at least every 15 seconds.
TIMEOUT = (10, 45)


class TaskError(Exception):
    """A task that did not succeed, or whose end is unknown; the message is for the user."""


def main() -> int:
    """Run the script and return its exit status."""
    arguments = make_parser().parse_args()
    given = {"task": arguments.task, "kwargs": arguments.kwargs}
    try:
        run_task(arguments.url, {name: value for name, value in given.items() if value is not None}, arguments.retry)
    except TaskError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def run_task(url: str, request: dict[str, Any], retry: float | None = None) -> None:
    """Start a task and print each of its snapshots until it has succeeded.

    Raises:
        TaskError: the task ended in another way, or can't be started or followed.
    """
    snapshot: Snapshot = {}
    for snapshot in follow(start_task(url, request), retry):
        print(f"{snapshot['progress']:3d}%  {to_line(snapshot['status'])}", flush=True)
    if snapshot.get("state") != "succeeded":
        raise TaskError(explain(snapshot))


def start_task(url: str, request: dict[str, Any]) -> str:
    """Start the requested task, or the server's default, and return the URL of its progress.

    Args:
        url: the address of the site.
        request: the body of the request; empty for the default task.

    Raises:
        TaskError: the task can't be started.
    """
    start_url = url.rstrip("/") + "/start-task"
    try:
        response = requests.post(start_url, json=request or None, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise TaskError(f"Can't reach {url!r}: {type(error).__name__}: {error}") from error
    if response.status_code != 202:
        raise TaskError(describe(response))
    answer: dict[str, str] = response.json()
    return urljoin(start_url, answer["progress_url"])


def follow(url: str, retry: float | None = None) -> Iterator[Snapshot]:
    """Yield the snapshots of a task up to its last one, with reconnects as needed.

    Args:
        url: the address of its progress.
        retry: seconds between two attempts; None for what the server says.

    Raises:
        TaskError: the task can't be followed.
    """
    headers = {"Accept": "text/event-stream"}
    attempts, pause = 0, RETRY if retry is None else retry
    while True:
        reason = "the stream ended before the task did"
        try:
            with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
                if response.status_code == 204:  # the client has seen the last snapshot
                    return
                check_stream(response)
                for event in SSEClient(iter(response)).events():
                    snapshot = json.loads(event.data)
                    attempts = 0
                    if event.id:
                        headers["Last-Event-ID"] = event.id
                    if event.retry and retry is None:
                        pause = int(event.retry) / 1000
                    if event.event != "message":  # such as `end`, which repeats the last snapshot
                        continue
                    yield snapshot
                    if snapshot["state"] not in ("queued", "running"):
                        return
        except requests.RequestException as error:
            reason = f"{type(error).__name__}: {error}"
        except ValueError:
            pass  # if the stream ends inside an event, sseclient-py yields a part of it
        if attempts == MAX_ATTEMPTS:
            raise TaskError(f"Lost {url} and gave up after {attempts} attempts to reconnect: {reason}")
        attempts += 1
        time.sleep(pause)


def check_stream(response: requests.Response) -> None:
    """Check that a response is a stream.

    Raises:
        requests.HTTPError: another attempt may succeed: the status is 429, or 500 or more.
        TaskError: another attempt can't succeed, such as after 404 for a task that is gone.
    """
    if response.status_code == 429 or response.status_code >= 500:
        response.raise_for_status()
    is_stream = response.headers.get("Content-Type", "").startswith("text/event-stream")
    if response.status_code != 200 or not is_stream:
        raise TaskError(describe(response))


def describe(response: requests.Response) -> str:
    """Return an unexpected response as text, with the `detail` of a problem (RFC 9457)."""
    content_type = response.headers.get("Content-Type")
    text = f"{response.request.method} {response.url} answered {response.status_code} {response.reason}"
    if content_type != "application/problem+json":
        return f"{text} ({content_type})"
    return f"{text}: {response.json()['detail']}"


def explain(snapshot: Snapshot) -> str:
    """Return why a task did not succeed."""
    text = f"The task ended as {snapshot.get('state')!r}"
    if error := snapshot.get("error"):
        text += f": {error['type']}: {error['message']}"
    return to_line(text)


def to_line(text: str) -> str:
    """Return text with a space for each line end or control character, which would disturb a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description="Start a task and follow its progress.")
    parser.add_argument("--url", default="http://localhost:8000", help="the site (default: %(default)s)")
    parser.add_argument("--task", metavar="NAME", help="what to start (default: the site's default task)")
    parser.add_argument("--kwargs", metavar="JSON", type=json.loads, help="its arguments, as a JSON object")
    parser.add_argument("--retry", type=float, help="seconds between two attempts (default: what the server says)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
