"""The wait of one client, from a start to the first frame of its stream, beside another that asks for all it can."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.floods import run_floods
from tests.support.nginx import PROGRAM, run_configuration
from tests.support.readme import find_block
from tests.support.servers import run_daphne

from . import contenders
from .contenders import Running, run
from .figures import Figure
from .latency import find_percentile

#: All of a visitor's starts are fewer than START_RATE lets one client make at once, and no more than the proxy allows.
ROUNDS, QUICK_ROUNDS = 250, 10
PAUSE = 0.11

#: That of the hostile client, which in earnest has a machine of its own; here it would take the site's processors.
PRIORITY = 19

#: What a hostile client may start, and what the app limits by default.
SITE = {
    "STARTABLE": {
        "nothing": "benchmarks.site.tasks.nothing",
        "count": "tests.support.jobs.count",
        "wait": "tests.support.jobs.wait",
        "shout": "tests.support.hostile_jobs.shout",
        "divide": "tests.support.hostile_jobs.divide",
    },
    "DEFAULT_TASK": "count",
    "POLICY": "tests.support.hostile_jobs.OpenList",
    "MAX_STREAMS_PER_CLIENT": 50,
    "MAX_REQUESTS_PER_CLIENT": 2,
    "MAX_UNFINISHED_PER_CLIENT": 100,
    "START_RATE": "600/m",
}

OURS = replace(contenders.wrapped_on_daphne, run=partial(run_daphne, options=["--proxy-headers"]))


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield percentiles beside a flood and before it, of the server alone, and behind the proxy that is advised."""
    rounds = QUICK_ROUNDS if is_quick else ROUNDS
    yield from compare(str(OURS), rounds, put_nothing_in_front)
    if PROGRAM is not None:
        yield from compare(f"{OURS}, behind nginx", rounds, put_proxy_in_front)


def compare(name: str, rounds: int, put_in_front: Callable[[int], AbstractContextManager[int]]) -> Iterator[Figure]:
    """Yield the median and the 99th percentile beside a flood, compared with those of the same server before it."""
    with run(OURS, tasks_app=SITE) as server, put_in_front(server.port) as port:
        visit(server, port, rounds // 10)
        quiet = visit(server, port, rounds)
        with run_floods(port, priority=PRIORITY):
            visit(server, port, rounds // 10)
            flooded = visit(server, port, rounds)
    for percent in (50, 99):
        mine, its = (find_percentile(times, percent) / 1e6 for times in (flooded, quiet))
        yield Figure(
            f"start to first frame beside a hostile client, p{percent}, {name}", mine, "ms", "without it", its
        )


@contextmanager
def put_nothing_in_front(port: int) -> Iterator[int]:
    """Have clients come to the server itself."""
    yield port


@contextmanager
def put_proxy_in_front(port: int) -> Iterator[int]:
    """Run the nginx of docs/security.md, and return its port."""
    snippet = find_block("nginx", "limit_conn_zone", document="docs/security.md")
    with TemporaryDirectory() as folder:
        places = {"/var/log/nginx": folder, ":8000": f":{port}"}
        with run_configuration(Path(folder), snippet, places) as proxy:
            yield proxy.port


def visit(server: Running, port: int, rounds: int) -> list[int]:
    """Start so many tasks, and return how long each took to the first frame of its stream."""
    times = []
    for _ in range(rounds):
        time.sleep(PAUSE)
        begun = time.monotonic_ns()
        read_first_frame(port, server.find_stream(server.start("nothing", port=port)))
        times.append(time.monotonic_ns() - begun)
    return times


def read_first_frame(port: int, target: str) -> None:
    """Open a stream, and leave it once its first frame is there."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        received = b""
        while b"data: {" not in received:
            if not (part := connection.recv(1 << 16)):
                raise RuntimeError(f"the stream ended after {received!r}")
            received += part
