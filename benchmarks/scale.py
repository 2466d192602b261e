"""As many viewers, and as many tasks, as one Daphne process is to bear, and whether anybody misses the end."""

import resource
import time
from collections.abc import Iterator

from . import contenders
from .contenders import Running, run, start_beats
from .figures import Figure
from .readers import Readers

TASKS, INTERVAL = 100, 0.5
MOST_VIEWERS, QUICK_VIEWERS = 10_000, 200
MANY_TASKS, QUICK_TASKS = 1000, 100
SECONDS, QUICK_SECONDS = 20.0, 2.0

#: Tasks that one stream follows.
PER_STREAM = 100

#: Files that a process has open beside its viewers.
SPARE_FILES = 500

#: How long Daphne may take to forget the requests that have ended, in seconds.
PATIENCE = 60.0

#: How long the slowest end may take.
DEADLINE = 300.0


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield what became of many viewers, and of many tasks."""
    yield from measure_viewers(QUICK_VIEWERS if is_quick else count_viewers(), QUICK_SECONDS if is_quick else SECONDS)
    yield from measure_tasks(QUICK_TASKS if is_quick else MANY_TASKS, QUICK_SECONDS if is_quick else SECONDS)


def count_viewers() -> int:
    """Return how many viewers the limit of open files allows; each takes one here and one in the server."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return min(MOST_VIEWERS, most - SPARE_FILES)


def measure_viewers(viewers: int, seconds: float) -> Iterator[Figure]:
    """Many viewers of 100 tasks, each following one."""
    what = f"{viewers:,} viewers of {TASKS} tasks at 2 Hz"
    with run(contenders.wrapped_on_daphne) as server:
        targets = [server.find_stream(task_id) for task_id in start_beats(server, TASKS, interval=INTERVAL)]
        idle, objects = server.get_memory(), count_objects(server)
        with Readers(server.port) as readers:
            readers.open([targets[number % TASKS] for number in range(viewers)])
            yield from watch(server, readers, seconds, what, changes=viewers / INTERVAL)
            yield from end(server, readers, what)
        await_release(server, objects)
        yield Figure(f"objects alive after {what}", count_objects(server), "", "before", objects)
        # CPython keeps most of what it once had for the next to come.
        kept, most = server.get_memory() - idle, server.get_peak_memory() - idle
        yield Figure(f"memory kept after {what}", kept / 1e6, "MB", "at the most", most / 1e6)
        with Readers(server.port) as readers:
            readers.open([server.start_pulse(interval=INTERVAL)] * viewers)
        again = server.get_peak_memory() - idle
        yield Figure(f"memory at the most with {viewers:,} viewers more", again / 1e6, "MB", "before", most / 1e6)


def measure_tasks(tasks: int, seconds: float) -> Iterator[Figure]:
    """Many tasks, a hundred on each stream."""
    what = f"{tasks:,} tasks at 2 Hz"
    with run(contenders.wrapped_on_daphne) as server, Readers(server.port) as readers:
        ids = start_beats(server, tasks, interval=INTERVAL)
        pages = [ids[first : first + PER_STREAM] for first in range(0, tasks, PER_STREAM)]
        readers.open("/task-progress?" + "&".join(f"task={task_id}" for task_id in page) for page in pages)
        yield from watch(server, readers, seconds, what, changes=tasks / INTERVAL)
        yield from end(server, readers, what)


def count_objects(server: Running) -> int:
    """Return how many objects are alive in the process."""
    return int(str(server.get("/objects")["objects"]))


def await_release(server: Running, objects: int) -> None:
    """Wait until hardly more objects are alive than there were, if that comes true in time."""
    end = time.monotonic() + PATIENCE
    while count_objects(server) > 1.05 * objects and time.monotonic() < end:
        time.sleep(1)


def watch(server: Running, readers: Readers, seconds: float, what: str, *, changes: float) -> Iterator[Figure]:
    """Yield what arrives while all are watched, and what that costs."""
    server.post("/begin")
    before = server.get_cpu()
    frames = readers.read_for(seconds)
    cpu = server.get_cpu() - before
    yield Figure(f"frames a second, {what}", frames / seconds, "", "changes times viewers", changes)
    yield Figure(f"CPU of the server, {what}", cpu / seconds * 100, "%", "one core", 100)


def end(server: Running, readers: Readers, what: str) -> Iterator[Figure]:
    """Have the tasks end, and yield how many of the streams were told."""
    server.post("/finish", timeout=DEADLINE)  # a server that is busy to the brim answers late
    readers.read_to_end(deadline=DEADLINE)
    told = sum(viewer.has_end for viewer in readers.viewers.values())
    yield Figure(f"streams that got their end, {what}", told, "", "opened", len(readers.viewers))
