"""The effect of a client that does not read on the server and the other viewers: 60 s at 20 Hz of large frames."""

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from . import contenders
from .contenders import Contender, run
from .figures import Figure
from .latency import find_percentile
from .readers import Readers

INTERVAL, META_BYTES, OTHERS = 0.05, 30_000, 20
WARM_UP, QUICK_WARM_UP = 5.0, 1.0
SECONDS, QUICK_SECONDS = 60.0, 3.0

OURS = contenders.wrapped_on_daphne
OTHER = contenders.raw_on_daphne


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of memory gained while nobody read, and the others' 99th percentile (ms) before and meanwhile."""

    memory: int
    before: float
    meanwhile: float


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield the damage, with the guard and without one."""
    warm_up, seconds = (QUICK_WARM_UP, QUICK_SECONDS) if is_quick else (WARM_UP, SECONDS)
    mine, its = measure_one(OURS, warm_up, seconds), measure_one(OTHER, warm_up, seconds)
    what = f"a client that does not read for {seconds:.0f} s at 20 Hz"
    yield Figure(f"memory gained by {what}, {OURS}", mine.memory / 1e6, "MB", str(OTHER), its.memory / 1e6)
    yield Figure(f"p99 of other viewers with {what}, {OURS}", mine.meanwhile, "ms", "without it", mine.before)


def measure_one(contender: Contender, warm_up: float, seconds: float) -> Damage:
    """Return what a client that does not read does, after as long a time without it."""
    with run(contender) as server, Readers(server.port, keeps_latencies=True) as readers:
        target = server.start_pulse(interval=INTERVAL, meta_bytes=META_BYTES)
        readers.open([target] * OTHERS)
        readers.read_for(warm_up)
        before = read_percentile(readers, seconds)
        memory = server.get_memory()
        with closing(open_stuck(server.port, target)):
            meanwhile = read_percentile(readers, seconds)
            return Damage(server.get_memory() - memory, before, meanwhile)


def read_percentile(readers: Readers, seconds: float) -> float:
    """Return the 99th percentile (ms) of the latencies of so many seconds."""
    readers.latencies.clear()
    readers.read_for(seconds)
    return find_percentile(readers.latencies, 99) / 1e6


def open_stuck(port: int, target: str) -> socket.socket:
    """Ask for a stream that will not be read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return connection
