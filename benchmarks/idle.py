"""The cost of an open stream while nothing happens, and the cost of opening it."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from . import contenders
from .contenders import Contender, Running, find_all, run_together
from .figures import Figure
from .readers import Readers

BATCH, BATCHES, QUICK_BATCHES = 100, 10, 2

#: Seconds after which what a server does on connecting and leaving is done, and is as good as done.
SETTLE, QUICK_SETTLE = 3.0, 0.5

ON_DAPHNE = (contenders.naive_on_daphne, contenders.raw_on_daphne)
ON_UVICORN = (contenders.sse_starlette_on_uvicorn, contenders.raw_on_uvicorn)

PAIRS = (
    (contenders.ours_on_daphne, ON_DAPHNE),
    (contenders.wrapped_on_daphne, ON_DAPHNE),
    (contenders.ours_on_uvicorn, ON_UVICORN),
    (contenders.wrapped_on_uvicorn, ON_UVICORN),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of streams to a server: threads of all, kilobytes and milliseconds of CPU of each."""

    threads: int
    memory: float
    cpu: float


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield threads, memory and CPU of our streams beside those of others."""
    batches = QUICK_BATCHES if is_quick else BATCHES
    costs = measure_all(batches, QUICK_SETTLE if is_quick else SETTLE)
    for ours, others in PAIRS:
        for other in others:
            mine, its, streams = costs[ours], costs[other], batches * BATCH
            yield Figure(f"threads with {streams:,} idle streams, {ours}", mine.threads, "", str(other), its.threads)
            yield Figure(f"memory per idle stream, {ours}", mine.memory, "KB", str(other), its.memory)
            yield Figure(f"CPU per connect, {ours}", mine.cpu, "ms", str(other), its.cpu)


def measure_all(batches: int, settle: float) -> dict[Contender, Cost]:
    """Return the cost of streams that are opened in batches, the contenders taking turns; they settle in seconds."""
    with ExitStack() as stack:
        servers = stack.enter_context(run_together(find_all(PAIRS)))
        idle = {contender: Idle(server, settle) for contender, server in servers.items()}
        for streams in idle.values():
            stack.enter_context(streams.readers)
        for _ in range(batches):
            for streams in idle.values():
                streams.open()
        return {contender: streams.get_cost() for contender, streams in idle.items()}


class Idle:
    """The streams of one contender, of which a few were opened and closed first, so that all is loaded."""

    def __init__(self, server: Running, settle: float) -> None:
        self.readers = Readers(server.port)
        self._server, self._seconds = server, settle
        self._times: list[float] = []
        with server.measured(), Readers(server.port) as readers:
            self._target = server.start_pulse(interval=3600)
            readers.open([self._target] * BATCH)
        self._settle()
        self._memory = server.get_memory()

    def open(self) -> None:
        """Open a batch, each stream up to its first frame."""
        with self._server.measured() as cpu:
            self.readers.open([self._target] * BATCH)
        self._times += cpu

    def get_cost(self) -> Cost:
        """Return the cost per stream; that of the CPU is the median of the batches."""
        self._settle()
        return Cost(
            threads=self._server.count_threads(),
            memory=(self._server.get_memory() - self._memory) / (len(self._times) * BATCH) / 1000,
            cpu=median(self._times) / BATCH * 1000,
        )

    def _settle(self) -> None:
        """Let the process end what it has to do; what it started for that is gone by then."""
        with self._server.measured():
            time.sleep(self._seconds)
