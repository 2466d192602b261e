"""The servers that are compared: each in a process of its own, asked for the same things in the same way."""

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import psutil

from tests.support.servers import Server, run_daphne, run_uvicorn


@dataclass(frozen=True, slots=True)
class Contender:
    """An application on a server."""

    name: str
    run: Callable[..., AbstractContextManager[Server]]
    application: str
    pulse: str = "/pulse"
    settings: str = "benchmarks.site.settings"
    #: Whether its viewers bear tokens, so that the wrapper answers them below Django.
    has_tokens: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Running:
    """A contender's process while it runs."""

    contender: Contender
    server: Server
    process: psutil.Process
    _tokens: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def port(self) -> int:
        return self.server.port

    def start_pulse(self, *, interval: float, **options: object) -> str:
        """Start what changes every `interval` seconds; return the target of its stream."""
        query = "&".join(f"{key}={value}" for key, value in {"interval": interval, **options}.items())
        answer = self.post(f"{self.contender.pulse}?{query}")
        return f"{answer['stream']}?token={answer['token']}" if self.contender.has_tokens else str(answer["stream"])

    def start(self, task: str, *, port: int | None = None, **kwargs: object) -> str:
        """Start a task, perhaps by way of another port, and return its id."""
        answer = self.post("/start-task", {"task": task, "kwargs": kwargs}, port=port)
        self._tokens[task_id := str(answer["task_id"])] = str(answer["token"])
        return task_id

    def find_stream(self, task_id: str) -> str:
        """Return the target of the stream of a task that was started."""
        token = f"?token={self._tokens[task_id]}" if self.contender.has_tokens else ""
        return f"/task-progress/{task_id}{token}"

    def post(
        self, target: str, data: object = None, *, timeout: float = 30, port: int | None = None
    ) -> Mapping[str, object]:
        """Post JSON, and return the JSON that comes back within `timeout` seconds."""
        body = b"" if data is None else json.dumps(data).encode()
        url = f"http://127.0.0.1:{port or self.port}{target}"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=timeout) as response:
            answer: Mapping[str, object] = json.load(response)
        return answer

    def get(self, target: str) -> Mapping[str, object]:
        """Return the JSON that is there."""
        with urllib.request.urlopen(self.server.url + target, timeout=30) as response:
            answer: Mapping[str, object] = json.load(response)
        return answer

    @contextmanager
    def measured(self) -> Iterator[list[float]]:
        """Let the process run for a block; the list has the seconds of CPU that it used then.

        See `run_together`: outside such blocks it stands still.
        """
        cpu: list[float] = []
        before = self.get_cpu()
        self.process.resume()
        try:
            yield cpu
        finally:
            self.process.suspend()
            cpu.append(self.get_cpu() - before)

    def get_cpu(self) -> float:
        """Return the seconds of CPU that the process has used, as the operating system counts them.

        The clock's number is made as clock_getcpuclockid(3) makes it: what /proc has is in steps of 10 ms.
        """
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def get_memory(self) -> int:
        """Return the bytes of memory that the process holds."""
        return int(self.process.memory_info().rss)

    def get_peak_memory(self) -> int:
        """Return the bytes of memory that the process has held at the most."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    def count_threads(self) -> int:
        """Return how many threads the process has."""
        return int(self.process.num_threads())


@contextmanager
def run(
    contender: Contender,
    *,
    tasks_app: Mapping[str, object] | None = None,
    env: Mapping[str, str] | None = None,
    port: int = 0,
) -> Iterator[Running]:
    """Run a contender, with these values in TASKS_APP where it has one, and with `env` in the environment."""
    own = {"DJANGO_SETTINGS_MODULE": contender.settings, "BENCHMARK_TASKS_APP": json.dumps(tasks_app or {})}
    with contender.run(contender.application, env={**own, **(env or {})}, port=port) as server:
        yield Running(contender, server, psutil.Process(server.process.pid))


@contextmanager
def run_together(contenders: Iterable[Contender]) -> Iterator[dict[Contender, Running]]:
    """Run contenders, each of which stands still but for the blocks in which it is `measured()`.

    So they can be measured in turns of seconds: what else the machine does at a time meets all of them alike.
    """
    with ExitStack() as stack:
        servers = {contender: stack.enter_context(run(contender)) for contender in contenders}
        for server in servers.values():
            server.process.suspend()
            stack.callback(server.process.resume)  # a process that stands still can't be stopped politely
        yield servers


def find_all(pairs: Iterable[tuple[Contender, Iterable[Contender]]]) -> list[Contender]:
    """Return each contender of these pairs once: one, and those that it is compared with."""
    return list(dict.fromkeys(item for ours, others in pairs for item in (ours, *others)))


def start_beats(server: Running, count: int, *, interval: float) -> list[str]:
    """Start tasks that will change regularly, spread evenly over the interval, and return their ids."""
    return [server.start("beat", interval=interval, offset=number * interval / count) for number in range(count)]


OURS = "benchmarks.site.asgi:application"
WRAPPED = "benchmarks.site.asgi:wrapped"
RAW = "benchmarks.peers.raw:application"

#: A Daphne on which a crowd can wait to be accepted; of 50, its default, the system turns the others away for seconds.
run_open_daphne = partial(run_daphne, backlog=4096)

#: With VALKEY_URL in the environment, the state of tasks outlives its process.
SHARED = "benchmarks.site.tracked_settings"

ours_on_daphne = Contender("tasks_app on Daphne", run_daphne, OURS)
wrapped_on_daphne = Contender("tasks_app with its wrapper on Daphne", run_daphne, WRAPPED, has_tokens=True)
returning_on_daphne = replace(wrapped_on_daphne, run=run_open_daphne, settings=SHARED)
naive_on_daphne = Contender("a naive Django view on Daphne", run_daphne, OURS, pulse="/naive-pulse")
raw_on_daphne = Contender("raw ASGI on Daphne", run_daphne, RAW)
open_raw_on_daphne = replace(raw_on_daphne, run=run_open_daphne)
lively_on_daphne = Contender("raw ASGI with keep-alives on Daphne", run_daphne, f"{RAW}_with_keep_alives")
eventstream_on_daphne = Contender(
    "django-eventstream on Daphne",
    run_daphne,
    "benchmarks.peers.eventstream_asgi:application",
    settings="benchmarks.peers.eventstream_settings",
)
ours_on_uvicorn = Contender("tasks_app on uvicorn", run_uvicorn, OURS)
wrapped_on_uvicorn = Contender("tasks_app with its wrapper on uvicorn", run_uvicorn, WRAPPED, has_tokens=True)
returning_on_uvicorn = replace(wrapped_on_uvicorn, settings=SHARED)
raw_on_uvicorn = Contender("raw ASGI on uvicorn", run_uvicorn, RAW)
lively_on_uvicorn = Contender("raw ASGI with keep-alives on uvicorn", run_uvicorn, f"{RAW}_with_keep_alives")
sse_starlette_on_uvicorn = Contender(
    "sse-starlette on uvicorn", run_uvicorn, "benchmarks.peers.sse_starlette_app:application"
)
