"""A hostile client: `python -m tests.support.floods PORT` asks a site on this machine for all it can, until stopped.

It has an address of its own. It prints what it was answered, a line a second: by kind of flood, how often each status.
"""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any

from tests.support import wire
from tests.support.servers import Server, run_command

ADDRESS = "127.0.0.2"

#: Which task each of the floods of starts asks for.
STARTS = {"starts": "count", "logs": "shout", "stages": "divide", "cancels": "wait"}

#: Status by kind, such as "starts 202".
answers: Counter[str] = Counter()


def start_for_ever(port: int, kind: str) -> None:
    """Start tasks, each with an idempotency key, and cancel those that wait."""
    name = threading.get_ident()
    for number in count():
        order = json.dumps({"task": STARTS[kind]}).encode()
        keys = [("Content-Type", "application/json"), ("Idempotency-Key", f"{name} {number}")]
        answer = ask(port, kind, "POST", "/start-task", keys, order)
        if kind == "cancels" and answer is not None and answer.status == 202:
            started = answer.json()
            for headers in ([], [("Authorization", f"Bearer {started['token']}")]):
                ask(port, kind, "POST", started["cancel_url"], headers)


def list_for_ever(port: int, kind: str) -> None:
    """Ask for the list, look at each task on it, and try to cancel it."""
    while True:
        answer = ask(port, kind, "GET", "/tasks?limit=200")
        for snapshot in answer.json()["tasks"] if answer is not None and answer.status == 200 else ():
            ask(port, kind, "GET", f"/tasks/{snapshot['task_id']}")
            ask(port, "foreign cancels", "POST", f"/tasks/{snapshot['task_id']}/cancel")


def stream_for_ever(port: int, kind: str) -> None:
    """Open streams that are not read, more than one client may have, and drop them."""
    while True:
        answer = ask(port, kind, "POST", "/start-task", [], b"")
        target = answer.json()["progress_url"] if answer is not None and answer.status == 202 else "/task-progress/x"
        with ExitStack() as stack:
            for _ in range(100):
                connection = stack.enter_context(wire.Connection(port, ADDRESS))
                connection.send(wire.encode_request("GET", f"{target}?logs=1"))


def ask(
    port: int, kind: str, method: str, target: str, headers: wire.Headers | None = None, body: bytes = b""
) -> wire.Response | None:
    """Make a request, note its status, and return the answer; None where the connection was refused or cut."""
    try:
        with wire.Connection(port, ADDRESS) as connection:
            connection.send(wire.encode_request(method, target, headers, body))
            answer = wire.Response(connection.read_head(), connection.read_body())
    except (AssertionError, OSError):
        return None
    answers[f"{kind} {answer.status}"] += 1
    return answer


FLOODS: dict[str, Callable[[int, str], None]] = {
    **dict.fromkeys(STARTS, start_for_ever),
    "lists": list_for_ever,
    "streams": stream_for_ever,
}


def main(port: int) -> None:
    """Flood for ever."""
    for kind, flood in [("starts", start_for_ever)] * 3 + [*FLOODS.items()]:
        threading.Thread(target=flood, args=(port, kind), daemon=True).start()
    while True:
        time.sleep(1)
        print(json.dumps(answers), flush=True)  # noqa: T201


@contextmanager
def run_floods(port: int, *, priority: int = 0) -> Iterator[Callable[[], Counter[str]]]:
    """Run the hostile client beside a block, which may ask what it was answered so far.

    Args:
        priority: 19 for a client that takes the processors only while the site does not need them.
    """
    with run_command(["nice", "-n", str(priority), sys.executable, "-m", "tests.support.floods", str(port)]) as client:
        yield lambda: _read_answers(client)


def _read_answers(client: Server) -> Counter[str]:
    last: dict[str, Any] = json.loads(client.output[-1]) if client.output else {}
    return Counter(last)


if __name__ == "__main__":
    main(int(sys.argv[1]))
