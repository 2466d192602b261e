"""What an open stream costs while nothing happens, and what it cost to open it."""

from collections.abc import Iterator
from dataclasses import dataclass

from . import contenders
from .contenders import Contender, Running, run
from .figures import Figure
from .readers import Readers

STREAMS, QUICK_STREAMS = 1000, 100
WARM_UP = 50

OURS = (contenders.ours_on_daphne, contenders.wrapped_on_daphne)
OTHERS = (contenders.naive_on_daphne, contenders.sse_starlette_on_uvicorn, contenders.raw_on_daphne)


@dataclass(frozen=True, slots=True)
class Cost:
    """What streams cost a server: threads of all, kilobytes and milliseconds of CPU of each."""

    threads: int
    memory: float
    cpu: float


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield threads, memory and CPU of our streams beside those of others."""
    streams = QUICK_STREAMS if is_quick else STREAMS
    costs = {contender: measure_one(contender, streams) for contender in (*OURS, *OTHERS)}
    for ours in OURS:
        for other in OTHERS:
            mine, its = costs[ours], costs[other]
            yield Figure(f"threads with {streams:,} idle streams, {ours}", mine.threads, "", str(other), its.threads)
            yield Figure(f"memory per idle stream, {ours}", mine.memory, "KB", str(other), its.memory)
            yield Figure(f"CPU per connect, {ours}", mine.cpu, "ms", str(other), its.cpu)


def measure_one(contender: Contender, streams: int) -> Cost:
    """Return the cost of streams, after a few were opened and closed so that all is loaded."""
    with run(contender) as server:
        target = server.start_pulse(interval=3600)
        open_some(server, target)
        memory, cpu = server.get_memory(), server.get_cpu()
        with Readers(server.port) as readers:
            readers.open([target] * streams)
            server.settle()
            return Cost(
                threads=server.count_threads(),
                memory=(server.get_memory() - memory) / streams / 1000,
                cpu=(server.get_cpu() - cpu) / streams * 1000,
            )


def open_some(server: Running, target: str) -> None:
    """Open a few streams, and close them."""
    with Readers(server.port) as readers:
        readers.open([target] * WARM_UP)
    server.settle()
