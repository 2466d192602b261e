"""The reads of the cache, against the number of viewers: 10 tasks, each viewer following them all."""

from collections.abc import Iterator

from . import contenders
from .contenders import Running, run, start_beats
from .figures import Figure
from .readers import Readers

TASKS, INTERVAL = 10, 2.0
VIEWERS, QUICK_VIEWERS = (1, 100, 1000), (1, 50)
SECONDS, QUICK_SECONDS = 20.0, 4.0


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield the cache calls a second with few and with many viewers."""
    seconds = QUICK_SECONDS if is_quick else SECONDS
    few, *more = QUICK_VIEWERS if is_quick else VIEWERS
    base = measure_one(few, seconds)
    for viewers in more:
        what = f"cache round trips a second, {TASKS} tasks, {viewers:,} viewers"
        yield Figure(what, measure_one(viewers, seconds), "", f"{few} viewer", base)


def measure_one(viewers: int, seconds: float) -> float:
    """Return how many calls of the cache there were a second, of whatever method, while so many watched."""
    with run(contenders.ours_on_daphne) as server, Readers(server.port) as readers:
        ids = start_beats(server, TASKS, interval=INTERVAL)
        readers.open(["/task-progress?" + "&".join(f"task={task_id}" for task_id in ids)] * viewers)
        server.post("/begin")
        readers.read_for(INTERVAL)
        before = count_calls(server)
        readers.read_for(seconds)
        return (count_calls(server) - before) / seconds


def count_calls(server: Running, only: str = "") -> int:
    """Return how often the cache was called so far, or only its methods whose names begin so."""
    return sum(int(str(count)) for name, count in server.get("/calls").items() if name.startswith(only))
