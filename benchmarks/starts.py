"""The number of tasks that can be started over HTTP in a second."""

import json
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import replace

from . import contenders
from .contenders import Contender, run
from .figures import Figure

CONNECTIONS = 16
WARM_UP, SECONDS, QUICK_SECONDS = 1.0, 8.0, 1.0

START = json.dumps({"task": "nothing"}).encode()


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield the requests a second of `POST /start-task`, beside those of a view that does nothing."""
    seconds = QUICK_SECONDS if is_quick else SECONDS
    for ours in (contenders.ours_on_daphne, contenders.wrapped_on_daphne):
        ours = replace(ours, settings=contenders.SHARED)  # with every default
        rates = {target: measure_one(ours, target, seconds) for target in ("/start-task", "/accept")}
        yield Figure(
            f"POST /start-task, {ours}", rates["/start-task"], "a second", "a view that does nothing", rates["/accept"]
        )


def measure_one(contender: Contender, target: str, seconds: float) -> float:
    """Return how many requests a second are answered on a few connections that are kept alive."""
    with run(contender) as server:
        connections = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(CONNECTIONS)]
        try:
            post_for(connections, target, WARM_UP)
            return post_for(connections, target, seconds) / seconds
        finally:
            for connection in connections:
                connection.close()


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
