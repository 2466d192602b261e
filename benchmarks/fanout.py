"""What a frame costs the server: 300 viewers of one task at 20 Hz."""

from collections.abc import Iterator

from . import contenders
from .contenders import Contender, run
from .figures import Figure
from .readers import Readers

VIEWERS, INTERVAL = 300, 0.05
WARM_UP = 3.0
SECONDS, QUICK_SECONDS = 10.0, 2.0
ROUNDS, QUICK_ROUNDS = 3, 1

PAIRS = (
    (contenders.ours_on_daphne, (contenders.raw_on_daphne, contenders.eventstream_on_daphne)),
    (contenders.wrapped_on_daphne, (contenders.raw_on_daphne,)),
    (contenders.ours_on_uvicorn, (contenders.raw_on_uvicorn, contenders.sse_starlette_on_uvicorn)),
)


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield the CPU per frame of each server, the least of several rounds taken in turns."""
    seconds, rounds = (QUICK_SECONDS, QUICK_ROUNDS) if is_quick else (SECONDS, ROUNDS)
    names = list(dict.fromkeys(item for ours, others in PAIRS for item in (ours, *others)))
    costs = dict.fromkeys(names, float("inf"))
    for _ in range(rounds):
        for contender in names:
            costs[contender] = min(costs[contender], measure_one(contender, seconds))
    for ours, others in PAIRS:
        for other in others:
            yield Figure(f"CPU per frame, {ours}", costs[ours], "µs", str(other), costs[other])


def measure_one(contender: Contender, seconds: float) -> float:
    """Return the microseconds of server CPU per delivered frame, in the steady part of a run."""
    with run(contender) as server, Readers(server.port) as readers:
        readers.open([server.start_pulse(interval=INTERVAL)] * VIEWERS)
        readers.read_for(WARM_UP)
        before = server.get_cpu()
        frames = readers.read_for(seconds)
        check_rate(contender, frames, VIEWERS * seconds / INTERVAL)
        return (server.get_cpu() - before) / frames * 1e6


def check_rate(contender: Contender, frames: int, wanted: float) -> None:
    """A server that drops frames would look cheap."""
    if frames < 0.8 * wanted:
        raise RuntimeError(f"{contender} delivered {frames!r} frames of {wanted:.0f}")
