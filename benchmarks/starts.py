"""The number of tasks that can be started over HTTP in a second."""

import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from statistics import median

from . import contenders
from .contenders import Contender, run
from .figures import Figure

CONNECTIONS = 16
WARM_UP, SECONDS, QUICK_SECONDS = 1.0, 2.0, 0.5
TURNS, QUICK_TURNS = 8, 1

TARGETS = ("/start-task", "/accept")

START = json.dumps({"task": "nothing"}).encode()


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield the requests a second of `POST /start-task`, beside those of a view that does nothing."""
    seconds, turns = (QUICK_SECONDS, QUICK_TURNS) if is_quick else (SECONDS, TURNS)
    for ours in (contenders.ours_on_daphne, contenders.wrapped_on_daphne):
        ours = replace(ours, settings=contenders.SHARED)  # with every default
        start, accept = (median(rates) for rates in measure_in_turns(ours, seconds, turns))
        yield Figure(f"POST /start-task, {ours}", start, "a second", "a view that does nothing", accept)


def measure_in_turns(contender: Contender, seconds: float, turns: int) -> tuple[list[float], list[float]]:
    """Return the rates of starts and of the view that does nothing, in turns, on connections that are kept alive."""
    with run(contender) as server, ExitStack() as stack:
        address = ("127.0.0.1", server.port)
        connections = [stack.enter_context(socket.create_connection(address)) for _ in range(CONNECTIONS)]
        rates: dict[str, list[float]] = {target: [] for target in TARGETS}
        for target in TARGETS:
            post_for(connections, target, WARM_UP)
        for _ in range(turns):
            for target, found in rates.items():
                found.append(post_for(connections, target, seconds) / seconds)
        start, accept = rates.values()
        return start, accept


def post_for(connections: list[socket.socket], target: str, seconds: float) -> int:
    """Post on each connection as soon as it has its answer, for so long; return how many there were."""
    request = encode_post(target)
    by_number = {connection.fileno(): connection for connection in connections}
    answered, end = 0, time.monotonic() + seconds
    with select.epoll() as poll:
        for connection in connections:
            poll.register(connection, select.EPOLLIN)
            connection.sendall(request)
        waiting = len(connections)
        while waiting:
            for number, _ in poll.poll():
                check_answer(by_number[number].recv(1 << 16))
                answered += 1
                if time.monotonic() < end:
                    by_number[number].sendall(request)
                else:
                    waiting -= 1
    return answered


def encode_post(target: str) -> bytes:
    """Return the bytes of the request."""
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(START)}\r\n\r\n".encode() + START


def check_answer(answer: bytes) -> None:
    """An answer is small enough to come in one piece; anything but a 202 would look fast."""
    if not answer.startswith(b"HTTP/1.1 202 ") or not answer.rstrip().endswith(b"}"):
        raise RuntimeError(f"not the answer that was wanted: {answer!r}")
