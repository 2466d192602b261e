"""The reads of the cache of a batch, against the number of its viewers, and beside as many single tasks."""

from collections.abc import Iterator, Sequence

from . import contenders
from .contenders import Running, run, start_beats
from .figures import Figure
from .readers import Readers
from .reads import count_calls

CHILDREN, QUICK_CHILDREN = 1000, 50
VIEWERS, QUICK_VIEWERS = (1, 500), (1, 50)
INTERVAL, SECONDS, QUICK_SECONDS = 2.0, 10.0, 4.0

#: The most tasks of one stream.
ON_ONE_STREAM = 100


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield the reads a second of a batch with few and with many viewers, and of single tasks."""
    seconds, children = (QUICK_SECONDS, QUICK_CHILDREN) if is_quick else (SECONDS, CHILDREN)
    few, many = QUICK_VIEWERS if is_quick else VIEWERS
    what = f"reads of the cache a second, a batch of {children:,}, {many:,} viewers"
    base = measure_one(few, children, seconds)
    yield Figure(what, measure_one(many, children, seconds), "", f"{few} viewer", base)
    single = measure_one(1, children, seconds, is_batch=False)
    what = f"reads of the cache a second, a batch of {children:,}, {few} viewer"
    yield Figure(what, base, "", "as single tasks", single)


def measure_one(viewers: int, children: int, seconds: float, *, is_batch: bool = True) -> float:
    """Return how many reads of the cache there were a second, while so many watched."""
    with run(contenders.ours_on_daphne) as server, Readers(server.port) as readers:
        paths = [_start_batch(server, children)] if is_batch else _start_singles(server, children)
        readers.open(paths * viewers)
        server.post("/begin")
        readers.read_for(INTERVAL)
        before = count_calls(server, "get")
        readers.read_for(seconds)
        return (count_calls(server, "get") - before) / seconds


def _start_batch(server: Running, children: int) -> str:
    answer = server.post(f"/batch?interval={INTERVAL}&children={children}")
    return f"{answer['stream']}?token={answer['token']}"


def _start_singles(server: Running, count: int) -> Sequence[str]:
    ids = start_beats(server, count, interval=INTERVAL)
    groups = (ids[start : start + ON_ONE_STREAM] for start in range(0, count, ON_ONE_STREAM))
    return ["/task-progress?" + "&".join(f"task={task_id}" for task_id in group) for group in groups]
