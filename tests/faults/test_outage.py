"""What a real Valkey server, a worker or both do when they go away and come back; no viewer may be left waiting."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from time import monotonic
from typing import Any

import pytest
from django.core.cache.backends.redis import RedisCache

from tasks_app.snapshot.snapshot import Snapshot
from tests.support.servers import ROOT, find_free_port, run_daphne
from tests.support.valkey import ValkeyServer
from tests.support.viewers import NOW
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wire import Event, EventStream
from tests.support.wire_site import Site

pytestmark = pytest.mark.slow

LAYERS = ("channels_redis.pubsub.RedisPubSubChannelLayer", "channels_redis.core.RedisChannelLayer")

#: So short that a test need not wait, and in the proportions of the defaults.
QUICK = {
    "SWEEP_INTERVAL": 0.2,
    "HEARTBEAT": 0.5,
    "STALLED_AFTER": 1.5,
    "LOST_AFTER": 4,
    "QUEUED_LOST_AFTER": 6,
    "KEEPALIVE": 1,
}


class Valkey:
    """A Valkey server that keeps nothing on disk; it can be killed and started anew, at the same address."""

    def __init__(self) -> None:
        self.port = find_free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = ValkeyServer(port=self.port)
        self._server.start()

    def kill(self) -> None:
        self._server.kill()

    def flush(self) -> None:
        self._server.client().flushall()

    def refuse_writes(self) -> None:
        """Answer reads alone from now on, as a server does whose memory is full."""
        self._server.client().config_set("maxmemory", 1)

    def take_writes(self) -> None:
        self._server.client().config_set("maxmemory", 0)

    def is_running(self) -> bool:
        return self._server.is_running()

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture(scope="module")
def running_valkey() -> Iterator[Valkey]:
    server = Valkey()
    yield server
    server.stop()


@pytest.fixture
def valkey(running_valkey: Valkey) -> Iterator[Valkey]:
    """A server that a test may kill; it runs when the next test begins."""
    yield running_valkey
    if not running_valkey.is_running():
        running_valkey.start()


@pytest.fixture(scope="module")
def running_sites(running_valkey: Valkey) -> Iterator[list[Site]]:
    with run_sites(running_valkey, 2) as sites:
        yield sites


@pytest.fixture
def sites(running_sites: list[Site], valkey: Valkey) -> Iterator[list[Site]]:
    """Two web processes; at the end of a test neither holds a stream."""
    yield running_sites
    for site in running_sites:
        site.wait_until_free()


@pytest.fixture
def site(sites: list[Site]) -> Site:
    return sites[0]


def make_env(valkey: Valkey, *, layer: str = LAYERS[0], **tasks_app: Any) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "tests.support.shared_wire_settings",
        "VALKEY_URL": valkey.url,
        "LAYER": layer,
        "WIRE_TASKS_APP": json.dumps({**QUICK, **tasks_app}),
    }


@contextmanager
def run_sites(valkey: Valkey, number: int, **options: Any) -> Iterator[list[Site]]:
    """Run web processes that share a Valkey server; at the end none may hold a stream."""
    with ExitStack() as stack:
        env = make_env(valkey, **options)
        sites = [Site(stack.enter_context(run_daphne(env=env))) for _ in range(number)]
        yield sites
        for site in sites:
            site.wait_until_free()


def open_streams(sites: list[Site], task_ids: list[str], each: int, stack: ExitStack) -> list[tuple[str, EventStream]]:
    """Open `each` streams for each task, at all of the sites in turn, and read the first event of each."""
    streams = [
        (task_id, stack.enter_context(sites[number % len(sites)].open(task_id)))
        for task_id in task_ids
        for number in range(each)
    ]
    for _, stream in streams:
        assert stream.next() is not None
    return streams


def pass_by(seconds: float) -> None:
    """Let time pass: how long something stays away is what a test is about."""
    end = monotonic() + seconds
    wait_until(lambda: monotonic() > end, f"{seconds} s passed")


@pytest.mark.slow
def test_all_streams_reach_the_right_end_through_the_death_of_the_store(valkey: Valkey, sites: list[Site]):
    with ExitStack() as stack:
        site = sites[0]
        tasks = {f"p{number}": site.start_puppet(f"p{number}") for number in range(20)}
        names = list(tasks)
        for name, task_id in tasks.items():
            site.order(name, current=1, total=4)
            site.wait_for(task_id, "running")
        streams = open_streams(sites, list(tasks.values()), 10, stack)
        for name in names[:5]:  # these end in the very moment in which the store dies
            site.order_return(name, name)
        valkey.kill()
        for name in names[5:10]:
            site.order(name, current=2)
            site.order_return(name, name)
        site.order_raise(names[10], "in the dark")
        pass_by(5)
        valkey.start()
        for name in names[11:]:
            site.order_return(name, name)
        ends = {(task_id, read_end(stream)) for task_id, stream in streams}
        expected = {(task_id, ("succeeded", name)) for name, task_id in tasks.items() if name != names[10]}
        assert ends == expected | {(tasks[names[10]], ("failed", None))}


def read_end(stream: EventStream) -> tuple[str, Any]:
    """Return the state and the result with which a stream ends."""
    event = stream.read_all()[-1]
    assert event.type == "end"
    return event.json()["state"], event.json()["result"]


def test_stream_is_kept_open_while_the_store_is_away(valkey: Valkey, site: Site):
    task_id = site.start_puppet("p")
    with site.open(task_id, query="?heartbeat=event") as stream:
        stream.read_until(lambda event: event.json().get("state") == "running")
        valkey.kill()
        for _ in range(3):
            stream.read_until(lambda event: event.type == "heartbeat")
        valkey.start()
        site.order_return("p", 1)
        assert read_end(stream) == ("succeeded", 1)


def test_snapshot_is_back_after_the_whole_cache_was_flushed(valkey: Valkey, sites: list[Site]):
    task_id = sites[0].start_puppet("p")
    sites[0].order("p", current=1, total=4, status="Working")
    wait_until(lambda: sites[1].get_snapshot(task_id)["status"] == "Working", "the report was stored")
    with sites[1].open(task_id) as stream:
        valkey.flush()
        sites[1].wait_for(task_id, "running")
        assert sites[1].get_snapshot(task_id)["progress"] == 25
        sites[0].order_return("p", 1)
        assert read_end(stream) == ("succeeded", 1)


def find_lines(events: Iterable[Event]) -> list[str]:
    """Return the text of every line."""
    return [line["text"] for event in events if event.type == "log" for line in event.json()["lines"]]


def read_logs(stream: EventStream, number: int) -> list[Event]:
    """Return the events of a stream up to its next `number` lines."""
    events: list[Event] = []
    while len(find_lines(events)) < number and (event := stream.next()) is not None:
        events.append(event)
    return events


def test_lines_that_are_logged_while_the_store_is_away_come_when_it_is_back(valkey: Valkey, sites: list[Site]):
    task_id = sites[0].start_puppet("p")
    with sites[1].open(task_id, query="?logs=1") as stream:
        sites[0].order("p", log="1")
        assert find_lines(read_logs(stream, 1)) == ["1"]
        valkey.kill()
        for number in range(2, 200):
            sites[0].order("p", log=str(number))
        valkey.start()
        sites[0].order("p", log="200")
        assert find_lines(read_logs(stream, 199)) == [str(number) for number in range(2, 201)]
        sites[0].order_return("p", 1)
        assert read_end(stream) == ("succeeded", 1)


def test_viewer_that_goes_from_process_to_process_misses_no_line_and_gets_none_twice(
    valkey: Valkey, sites: list[Site]
):
    with run_worker(valkey) as worker:
        task_id, events = read_id(worker), []
        assert worker.stdin is not None
        for turn in range(6):
            headers = [("Last-Event-ID", events[-1].id)] if events else []
            with sites[turn % 2].open(task_id, query="?logs=1", headers=headers) as stream:
                worker.stdin.writelines(f'{{"log": "{turn * 30 + step}"}}\n' for step in range(30))
                worker.stdin.flush()
                events += read_logs(stream, 10)
        worker.stdin.close()
        with sites[0].open(task_id, query="?logs=1", headers=[("Last-Event-ID", events[-1].id)]) as stream:
            events += stream.read_all()
        assert find_lines(events) == [str(number) for number in range(180)]
        with sites[1].open(task_id, query="?logs=1", headers=[("Last-Event-ID", events[-1].id)]) as stream:
            assert stream.head.status == 204


@pytest.mark.parametrize("layer", LAYERS)
def test_wake_ups_come_again_after_the_death_of_the_layer(valkey: Valkey, layer: str):
    with run_sites(valkey, 2, layer=layer, SWEEP_INTERVAL=300, KEEPALIVE=0.2) as sites:
        task_id = sites[0].start_puppet("p")
        with sites[1].open(task_id, query="?heartbeat=event") as stream:
            sites[0].order("p", status="before")
            stream.read_status("before")
            valkey.kill()
            valkey.start()
            # One that is sent before the listener is back is lost: the sweep is there for that.
            reports = (sites[0].order("p", status=f"after {number}") for number in count())
            while next(reports) is None and (event := stream.next()) is not None and event.type == "heartbeat":
                pass
            assert event is not None
            assert event.json()["status"].startswith("after")
            sites[0].order_return("p")


@contextmanager
def run_worker(valkey: Valkey, **tasks_app: Any) -> "Iterator[subprocess.Popen[str]]":
    """Run a job whose steps are written to its standard input; it prints its id."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.support.worker"],
        cwd=ROOT,
        env={**os.environ, **make_env(valkey, **tasks_app)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with worker:
        try:
            yield worker
        finally:
            worker.kill()


def read_id(worker: "subprocess.Popen[str]") -> str:
    assert worker.stdout is not None
    return worker.stdout.readline().strip()


def find_verdicts(stream: EventStream) -> list[tuple[str, bool]]:
    """Return what a stream says of a task up to its end: its states, and whether it stalled."""
    verdicts = [(event.json()["state"], event.json()["stalled"]) for event in stream.read_all()]
    return list(dict.fromkeys(verdicts))


def test_task_of_a_worker_that_is_killed_stalls_and_is_lost(valkey: Valkey, sites: list[Site]):
    with run_worker(valkey) as worker:
        task_id = read_id(worker)
        with sites[0].open(task_id) as first, sites[1].open(task_id) as second:
            worker.kill()
            for stream in (first, second):
                assert find_verdicts(stream) == [("running", False), ("running", True), ("lost", False)]


def test_queued_task_that_its_broker_lost_ends_as_lost_when_its_time_is_over(valkey: Valkey, site: Site):
    text = Snapshot.queued("q", "demo", now=NOW).to_json()  # nobody gives signs of life of it
    cache = RedisCache(valkey.url, {})
    cache.set("tasks_app:task:q", text, 300)
    with site.open("q") as stream:
        assert stream.read_until(lambda event: event.json()["state"] == "queued").json()["stalled"] is False
        cache.touch("tasks_app:task:q", 2)
        assert find_verdicts(stream) == [("queued", True), ("lost", False)]


def test_polling_client_learns_of_a_worker_that_is_killed(valkey: Valkey, site: Site):
    with run_worker(valkey) as worker:
        task_id = read_id(worker)
        worker.kill()
        wait_until(lambda: site.get_snapshot(task_id)["stalled"], "the task stalls")
        assert site.wait_for(task_id, "lost")["stalled"] is False


def test_tasks_of_a_web_process_that_is_killed_are_lost_for_those_of_another(valkey: Valkey, site: Site):
    with run_daphne(env=make_env(valkey)) as server:
        task_id = Site(server).start_puppet("p")
        Site(server).wait_for(task_id, "running")
        with site.open(task_id) as stream:
            server.process.kill()
            assert find_verdicts(stream) == [("running", False), ("running", True), ("lost", False)]


def test_tasks_of_a_web_process_that_is_stopped_are_lost_at_once(valkey: Valkey):
    with run_sites(valkey, 1, STALLED_AFTER=100, LOST_AFTER=200, QUEUED_LOST_AFTER=300) as (site,):
        with run_daphne(env=make_env(valkey)) as server:
            task_id = Site(server).start_puppet("p")
            stream = site.open(task_id)
            stream.read_until(lambda event: event.json()["state"] == "running")
        with stream:
            assert find_verdicts(stream) == [("lost", False)]


def test_jobs_that_succeed_while_writes_are_refused_are_recorded_as_succeeded(valkey: Valkey, sites: list[Site]):
    with ExitStack() as stack:
        tasks = {f"r{number}": sites[0].start_puppet(f"r{number}") for number in range(20)}
        for task_id in tasks.values():
            sites[0].wait_for(task_id, "running")
        streams = open_streams([sites[1]], list(tasks.values()), 1, stack)
        valkey.refuse_writes()
        try:
            for name in list(tasks)[:10]:
                sites[0].order_return(name, name)
            polled = watch_for(6, sites[1], list(tasks.values()))
            for name in list(tasks)[10:]:
                sites[0].order_return(name, name)
            polled |= watch_for(1, sites[1], list(tasks.values()))
        finally:
            valkey.take_writes()
        assert {(task_id, read_end(stream)) for task_id, stream in streams} == {
            (task_id, ("succeeded", name)) for name, task_id in tasks.items()
        }
        assert polled == {"running"}
        assert {sites[1].get_snapshot(task_id)["state"] for task_id in tasks.values()} == {"succeeded"}


def watch_for(seconds: float, site: Site, task_ids: list[str]) -> set[str]:
    """Poll tasks for a while, and return the states that were seen."""
    end, seen = monotonic() + seconds, set[str]()
    while monotonic() < end:
        seen |= {site.get_snapshot(task_id)["state"] for task_id in task_ids}
    return seen


def test_process_that_looks_once_long_after_the_death_of_a_worker_is_told(valkey: Valkey, sites: list[Site]):
    with run_worker(valkey) as worker:
        task_id = read_id(worker)
    pass_by(QUICK["STALLED_AFTER"] + QUICK["LOST_AFTER"] + 0.5)
    code = (
        f"import django; django.setup(); from tasks_app import get_snapshot; print(get_snapshot({task_id!r}).stalled)"
    )
    env = {**os.environ, **make_env(valkey)}
    asked = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True, capture_output=True, text=True)
    assert asked.stdout == "True\n"
    assert sites[0].get_snapshot(task_id)["stalled"] is True
    with sites[1].open(task_id) as stream:
        assert find_verdicts(stream) == [("running", True), ("lost", False)]


def test_worker_that_dies_while_writes_are_refused_is_found_out_afterwards(valkey: Valkey, site: Site):
    with run_worker(valkey) as worker:
        task_id = read_id(worker)
        with site.open(task_id) as stream:
            valkey.refuse_writes()
            worker.kill()
            pass_by(5)
            valkey.take_writes()
            assert find_verdicts(stream) == [("running", False), ("running", True), ("lost", False)]


@pytest.mark.parametrize(("on_lost", "outcome"), [("continue", "it goes on"), ("cancel", "it is asked to stop")])
def test_worker_that_comes_back_takes_its_task_back_from_lost(valkey: Valkey, site: Site, on_lost: str, outcome: str):
    with run_worker(valkey, ON_LOST=on_lost) as worker:
        task_id = read_id(worker)
        with site.open(task_id) as stream:
            worker.send_signal(signal.SIGSTOP)
            assert find_verdicts(stream)[-1] == ("lost", False)
        lost = site.get_snapshot(task_id)
        worker.send_signal(signal.SIGCONT)
        assert worker.stderr is not None
        log = worker.stderr.readline()
        assert f"task {task_id} was declared lost while this process could not write it, and is taken back" in log
        assert outcome in log
        assert site.wait_for(task_id, "running")["seq"] > lost["seq"]
        worker.communicate("", timeout=DEADLINE)  # the job has its last step, and ends
        ended = site.get_snapshot(task_id)
        assert (worker.returncode, ended["state"], ended["cancel_requested"]) == (0, "succeeded", on_lost == "cancel")
