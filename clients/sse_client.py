#!/usr/bin/env python
"""Start a task and follow its progress over Server-Sent Events, with requests and sseclient-py.

    python clients/sse_client.py
    python clients/sse_client.py --task simulate --arg duration=3
    python clients/sse_client.py --task-id 16R5vEv39Hq5ocIDUMmPNkADzHrJ0OrZ --logs

The exit status is 0 only when the task succeeded; `--help` has the others, and all options.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import requests
from common.command import parse_seconds
from common.connection import PROBLEM, Answer, describe_error, find_type
from common.display import Display, Row
from common.lines import open_display
from common.messages import read_event, read_start
from common.reconnection import Interrupted, NotSucceeded, Reconnection, TaskError
from common.script import Order, check_options, make_parser, run
from common.texts import LogLine, Snapshot, explain, has_ended
from sseclient import SSEClient

#: Why a stream is asked for again that was there.
ENDED = "the stream ended before the task did"

#: Seconds between two attempts, until the server says another number.
RETRY = 2.0

#: Seconds to connect, and of silence; the server sends a comment at least every 15 seconds.
TIMEOUT = (10, 45)


def main() -> int:
    """Run the script and return its exit status."""
    parser = make_parser("Start a task, or take one that was started, and follow its progress.")
    parser.add_argument("--task-id", metavar="ID", help="a task that was started before")
    help_text = "how long to wait between two attempts (default: what the server says)"
    parser.add_argument("--retry", metavar="SECONDS", type=parse_seconds, help=help_text)
    arguments = parser.parse_args()
    check_options(parser, arguments)
    display = open_display(as_json=arguments.json, is_quiet=arguments.quiet)
    return run(lambda: show_task(Order.of(arguments), arguments.task_id, display, arguments.retry), display)


def show_task(order: Order, task_id: str | None, display: Display, retry: float | None) -> None:
    """Show the progress of one task until it has succeeded; None starts one."""
    with display:
        run_task(order, display.rows[0], task_id, retry)


def run_task(order: Order, row: Row, task_id: str | None, retry: float | None) -> None:
    """Show each snapshot of a task until it has succeeded.

    Args:
        task_id: a task that was started before; None starts one.
        retry: seconds between two attempts; None for what the server says.

    Raises:
        NotSucceeded: the task ended in another way.
        TaskError: it can't be started or followed.
    """
    try:
        row.task_id, url = (task_id, order.find_progress_url(task_id)) if task_id else start_task(order)
        reconnection = Reconnection(order.timeout, row.tell)
        for snapshot in follow(order.ask_for_log(url), retry, reconnection, order.headers, row.log):
            row.show(snapshot)
        if row.state != "succeeded":
            raise NotSucceeded(explain(row.snapshot))
    except TaskError:
        row.is_given_up = True
        raise


def start_task(order: Order) -> tuple[str, str]:
    """Start the requested task, or the server's default, and return its id and the URL of its progress.

    Raises:
        TaskError: the task can't be started.
    """
    url = order.start_url
    body, headers = order.request or None, order.headers
    try:
        response = requests.post(url, json=body, headers=headers, timeout=TIMEOUT, allow_redirects=False)
    except requests.RequestException as error:
        raise TaskError(f"Can't reach {order.url!r}: {describe_error(error)}") from error
    if response.status_code != 202:
        raise TaskError(f"POST {url} {read_answer(response).describe()}")
    return read_start(response.content, url)


def follow(
    url: str,
    retry: float | None = None,
    reconnection: Reconnection | None = None,
    headers: Mapping[str, str] | None = None,
    show_log: Callable[[list[LogLine]], None] = lambda lines: None,
) -> Iterator[Snapshot]:
    """Yield the snapshots of a task up to its last one, with reconnects as needed.

    Args:
        url: the address of its progress, with `?logs=1` if its log is wanted.
        retry: seconds between two attempts; None for what the server says.
        headers: further headers of each request.
        show_log: called with new lines of its log.

    Raises:
        TaskError: the task can't be followed.
    """
    reconnection = reconnection or Reconnection()
    headers = {"Accept": "text/event-stream", **(headers or {})}
    server_retry = RETRY
    while True:
        interrupted = Interrupted(ENDED)
        try:
            with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=False) as response:
                if response.status_code == 204:  # the client has seen the last snapshot
                    return
                read_answer(response).check_stream()
                for event in SSEClient(read_chunks(response, reconnection)).events():
                    data = read_message(response, event.event, event.data)
                    reconnection.note_read()
                    if event.id:
                        headers["Last-Event-ID"] = event.id
                    if event.retry and len(event.retry) < 10 and event.retry.isdecimal():
                        server_retry = int(event.retry) / 1000
                    if event.event == "log":
                        show_log(data["lines"])
                    if event.event != "message":  # such as `end`, which repeats the last snapshot
                        continue
                    yield data
                    if has_ended(data):
                        return
        except Interrupted as refusal:
            interrupted = refusal if retry is None else Interrupted(refusal.reason, is_nonsense=refusal.is_nonsense)
        except (requests.exceptions.ChunkedEncodingError, UnicodeDecodeError):
            pass  # it ended inside a chunk, or inside a character of an event, of which sseclient-py yields a part
        except requests.RequestException as error:
            interrupted = Interrupted(describe_error(error))
        time.sleep(reconnection.fail(url, interrupted, server_retry if retry is None else retry))


def read_message(response: requests.Response, name: str, text: str) -> Any:
    """Return what an event says; that after which the stream has ended may be a part, which sseclient-py yields.

    Raises:
        Interrupted: it can't be read.
    """
    try:
        return read_event(name, text)
    except Interrupted:
        if response.raw.closed:
            raise Interrupted(ENDED) from None
        raise


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
