"""The cost of a frame to the server: 300 viewers of one task at 20 Hz."""

from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median

from . import contenders
from .contenders import Contender, Running, find_all, run_together
from .figures import Figure
from .readers import Readers

VIEWERS, INTERVAL = 300, 0.05
WARM_UP, SECONDS = 0.3, 2.0
ROUNDS, QUICK_ROUNDS = 10, 1

#: How often a turn is tried that the rest of the machine leaves no time for.
ATTEMPTS = 20

ON_DAPHNE = (contenders.raw_on_daphne, contenders.lively_on_daphne, contenders.eventstream_on_daphne)
ON_UVICORN = (contenders.raw_on_uvicorn, contenders.lively_on_uvicorn, contenders.sse_starlette_on_uvicorn)

PAIRS = (
    (contenders.ours_on_daphne, ON_DAPHNE),
    (contenders.wrapped_on_daphne, ON_DAPHNE),
    (contenders.ours_on_uvicorn, ON_UVICORN),
    (contenders.wrapped_on_uvicorn, ON_UVICORN),
)


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield the CPU per frame of each server, the median of turns of two seconds."""
    costs = measure_all(QUICK_ROUNDS if is_quick else ROUNDS)
    for ours, others in PAIRS:
        for other in others:
            yield Figure(f"CPU per frame, {ours}", costs[ours], "µs", str(other), costs[other])


def measure_all(rounds: int) -> dict[Contender, float]:
    """Return the microseconds of server CPU per delivered frame, for each of the contenders."""
    with ExitStack() as stack:
        servers = stack.enter_context(run_together(find_all(PAIRS)))
        readers = {contender: stack.enter_context(open_viewers(server)) for contender, server in servers.items()}
        costs: dict[Contender, list[float]] = {contender: [] for contender in servers}
        for _ in range(rounds):
            for contender, server in servers.items():
                costs[contender].append(measure_turn(server, readers[contender]))
    return {contender: median(found) for contender, found in costs.items()}


def open_viewers(server: Running) -> Readers:
    """Open the streams of one contender."""
    readers = Readers(server.port)
    with server.measured():
        readers.open([server.start_pulse(interval=INTERVAL)] * VIEWERS)
    return readers


def measure_turn(server: Running, readers: Readers) -> float:
    """Return the microseconds per frame of one turn."""
    wanted = VIEWERS * SECONDS / INTERVAL
    for _ in range(ATTEMPTS):
        with server.measured():
            readers.read_for(WARM_UP)
        with server.measured() as cpu:
            frames = readers.read_for(SECONDS)
        # A server that drops frames would look cheap.
        if frames >= 0.8 * wanted:
            return cpu[0] / frames * 1e6
    raise RuntimeError(f"{server.contender} delivered {frames!r} frames of {wanted:.0f}, {ATTEMPTS!r} times")
