"""The time that a change takes from `update()` to the viewer's socket, on a server that does nothing else."""

from collections.abc import Iterator

from . import contenders
from .contenders import Contender, run
from .figures import Figure
from .readers import Readers

INTERVAL = 0.05
WARM_UP, SECONDS, QUICK_SECONDS = 2.0, 20.0, 2.0

OURS = (contenders.ours_on_daphne, contenders.wrapped_on_daphne)
OTHER = contenders.raw_on_daphne


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield the median and the 99th percentile."""
    seconds = QUICK_SECONDS if is_quick else SECONDS
    latencies = {contender: measure_one(contender, seconds) for contender in (*OURS, OTHER)}
    for ours in OURS:
        for percent in (50, 99):
            mine, its = (find_percentile(latencies[item], percent) / 1e6 for item in (ours, OTHER))
            yield Figure(f"update() to client, p{percent}, {ours}", mine, "ms", str(OTHER), its)


def measure_one(contender: Contender, seconds: float) -> list[int]:
    """Return the latency (ns) of each change."""
    with run(contender) as server, Readers(server.port, keeps_latencies=True) as readers:
        readers.open([server.start_pulse(interval=INTERVAL)])
        readers.read_for(WARM_UP)
        readers.latencies.clear()
        readers.read_for(seconds)
        return readers.latencies


def find_percentile(values: list[int], percent: int) -> float:
    """Return the value that so many percent of all do not exceed."""
    return sorted(values)[(len(values) - 1) * percent // 100]
