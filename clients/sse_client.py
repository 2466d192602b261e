#!/usr/bin/env python
"""Start a task and follow its progress over Server-Sent Events, with requests and sseclient-py.

    python clients/sse_client.py
    python clients/sse_client.py --task simulate --kwargs '{"duration": 3}'

The exit status is 0 only when the task succeeded, 1 when it did not or can't be followed, 130 after Ctrl-C, 141 when
nobody reads the output.
"""

import json
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urljoin

import requests
from common.connection import PROBLEM, Answer, Interrupted, Reconnection, TaskError, describe_error, find_type
from common.display import Display, Row, open_display
from common.script import make_parser, make_request, parse_seconds, run
from common.texts import Snapshot, explain, has_ended
from sseclient import SSEClient

#: Seconds between two attempts, until the server says another number.
RETRY = 2.0

#: Seconds to connect, and of silence; the server sends a comment at least every 15 seconds.
TIMEOUT = (10, 45)


def main() -> int:
    """Run the script and return its exit status."""
    parser = make_parser("Start a task and follow its progress.")
    help_text = "how long to wait between two attempts (default: what the server says)"
    parser.add_argument("--retry", metavar="SECONDS", type=parse_seconds, help=help_text)
    arguments = parser.parse_args()
    display = open_display()
    work = partial(start_and_show, arguments.url, make_request(arguments), display)
    return run(lambda: work(arguments.timeout, arguments.retry), display)


def start_and_show(
    url: str, request: dict[str, Any], display: Display, reconnect_for: float, retry: float | None
) -> None:
    """Start one task and show its progress until it has succeeded."""
    with display:
        run_task(url, request, display.rows[0], reconnect_for, retry)


def run_task(url: str, request: dict[str, Any], row: Row, reconnect_for: float, retry: float | None = None) -> None:
    """Start a task and show each of its snapshots until it has succeeded.

    Args:
        reconnect_for: the seconds for which it reconnects while the site is away.
        retry: seconds between two attempts; None for what the server says.

    Raises:
        TaskError: the task ended in another way, or can't be started or followed.
    """
    try:
        row.task_id, progress_url = start_task(url, request)
        for snapshot in follow(progress_url, retry, Reconnection(reconnect_for, row.tell)):
            row.show(snapshot)
        if row.state != "succeeded":
            raise TaskError(explain(row.snapshot))
    except TaskError:
        row.is_given_up = True
        raise


def start_task(url: str, request: dict[str, Any]) -> tuple[str, str]:
    """Start the requested task, or the server's default, and return its id and the URL of its progress.

    Args:
        url: the address of the site.
        request: the body of the request; empty for the default task.

    Raises:
        TaskError: the task can't be started.
    """
    start_url = url.rstrip("/") + "/start-task"
    try:
        response = requests.post(start_url, json=request or None, timeout=TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        raise TaskError(f"Can't reach {url!r}: {describe_error(error)}") from error
    if response.status_code != 202:
        raise TaskError(f"POST {start_url} {read_answer(response).describe()}")
    started: dict[str, str] = response.json()
    return started["task_id"], urljoin(start_url, started["progress_url"])


def follow(url: str, retry: float | None = None, reconnection: Reconnection | None = None) -> Iterator[Snapshot]:
    """Yield the snapshots of a task up to its last one, with reconnects as needed.

    Args:
        url: the address of its progress.
        retry: seconds between two attempts; None for what the server says.

    Raises:
        TaskError: the task can't be followed.
    """
    reconnection = reconnection or Reconnection()
    headers = {"Accept": "text/event-stream"}
    server_retry = RETRY
    while True:
        reason, retry_after = "the stream ended before the task did", 0.0
        try:
            with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=False) as response:
                if response.status_code == 204:  # the client has seen the last snapshot
                    return
                read_answer(response).check_stream()
                for event in SSEClient(read_chunks(response, reconnection)).events():
                    snapshot = json.loads(event.data)
                    if event.id:
                        headers["Last-Event-ID"] = event.id
                    if event.retry:
                        server_retry = int(event.retry) / 1000
                    if event.event != "message":  # such as `end`, which repeats the last snapshot
                        continue
                    yield snapshot
                    if has_ended(snapshot):
                        return
        except Interrupted as refusal:
            reason, retry_after = refusal.reason, refusal.retry_after
        except (requests.exceptions.ChunkedEncodingError, ValueError):
            pass  # it ended inside a chunk, or inside an event, of which sseclient-py yields a part
        except requests.RequestException as error:
            reason = describe_error(error)
        time.sleep(reconnection.fail(url, reason, max(server_retry, retry_after) if retry is None else retry))


def read_chunks(response: requests.Response, reconnection: Reconnection) -> Iterator[bytes]:
    """Yield the bytes of a stream as they come; even a comment is a sign that the server is there."""
    # Chunks come as the server sends them; a number of bytes would be waited for, and with them the end of an event.
    is_chunked = response.headers.get("Transfer-Encoding", "").lower() == "chunked"
    for chunk in response.iter_content(None if is_chunked else 1):
        reconnection.succeed()
        yield chunk


def read_answer(response: requests.Response) -> Answer:
    """Return the answer that a response begins; of its body, only a problem is read."""
    body = response.text if find_type(response.headers) == PROBLEM else ""
    request = f"{response.request.method} {response.url}"
    return Answer(request, response.status_code, response.reason, response.headers, body)


if __name__ == "__main__":
    sys.exit(main())
