"""The metrics of several processes, which share a folder: of two servers, and of one that is killed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client import generate_latest

from tasks_app.contrib.prometheus.registry import make_registry
from tests.support import wire
from tests.support.db_site import run_python
from tests.support.metrics import Values, parse, scrape
from tests.support.servers import Server, run_celery, run_daphne, run_uvicorn
from tests.support.waiting import wait_until
from tests.support.wire_site import Site


class Sites(NamedTuple):
    """Two processes of one site, of which the first is asked for the metrics of both."""

    first: Site
    second: Site

    def scrape(self) -> Values:
        return scrape(self.first.server)

    def wait_for(self, series: str, value: float) -> Values:
        wait_until(lambda: self.scrape().get(series) == value, f"{series} is {value}: {self.scrape()}")
        return self.scrape()


def make_env(valkey: str, folder: Path) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "tests.support.metrics_site",
        "VALKEY_URL": f"redis://{valkey}/9",
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
    }


@pytest.fixture(scope="module")
def env(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return make_env(valkey, tmp_path_factory.mktemp("metrics"))


@pytest.fixture(scope="module")
def sites(env: dict[str, str]) -> Iterator[Sites]:
    with run_daphne(env=env) as first, run_uvicorn(env=env) as second:
        yield Sites(Site(first), Site(second))


def find_new(before: Values, after: Values, series: str) -> float:
    return after.get(series, 0.0) - before.get(series, 0.0)


def test_tasks_of_both_processes_are_added_up(sites: Sites):
    ended = 'tasks_app_tasks_ended_total{state="succeeded",task="echo"}'
    before = sites.scrape().get(ended, 0.0)
    for site in sites:
        site.wait_for(site.start("echo", value=1), "succeeded")
    sites.wait_for(ended, before + 2)


def test_streams_of_both_processes_are_added_up(sites: Sites):
    task_id = sites.first.start_puppet("watched")
    with sites.first.open(task_id), sites.second.open(task_id):
        found = sites.wait_for("tasks_app_streams", 2)
        assert found["tasks_app_stream_connects_total"] >= 2
    sites.wait_for("tasks_app_streams", 0)
    sites.first.order_return("watched")


def test_change_is_counted_for_each_stream_that_it_is_handed_to(sites: Sites):
    task_id = sites.first.start_puppet("framed")
    with sites.first.open(task_id) as stream, sites.first.open(task_id) as other:
        for each in (stream, other):
            each.read_until(lambda event: event.json()["state"] == "running")
        before = sites.scrape()
        sites.first.order("framed", current=1, total=2)
        for each in (stream, other):
            each.read_until(lambda event: event.json()["current"] == 1)
        assert find_new(before, sites.scrape(), "tasks_app_frames_total") == 2
    sites.first.order_return("framed")


def test_running_task_is_counted_while_it_runs(sites: Sites):
    running = 'tasks_app_tasks_running{task="puppet"}'
    sites.second.start_puppet("running")
    sites.wait_for(running, 1)
    sites.second.order_return("running")
    sites.wait_for(running, 0)


def test_recent_tasks_are_counted_by_name_and_state_as_the_cache_has_them(sites: Sites):
    series = 'tasks_app_tasks{state="running",task="puppet"}'
    sites.second.start_puppet("recent")
    sites.wait_for(series, 1)
    sites.second.order_return("recent")
    wait_until(lambda: series not in sites.scrape(), "it runs no more")


def test_sweeps_and_writes_are_timed(sites: Sites):
    task_id = sites.first.start_puppet("timed")
    with sites.first.open(task_id):
        wait_until(lambda: sites.scrape().get("tasks_app_sweep_seconds_count", 0) > 0, "a sweep was timed")
    sites.first.order_return("timed")
    assert sites.scrape()["tasks_app_flush_seconds_count"] > 0


def test_metrics_name_no_task_by_its_id(sites: Sites):
    task_id = sites.first.start("echo", value=1)
    sites.first.wait_for(task_id, "succeeded")
    assert not [series for series in sites.scrape() if task_id in series]


@pytest.mark.parametrize("headers", [[], [("Authorization", "Bearer other")], [("Authorization", "Basic scraper")]])
def test_metrics_are_not_for_everybody(sites: Sites, headers: wire.Headers):
    assert wire.send(sites.first.port, "GET", "/task-metrics", headers=headers).status == 401


def test_process_that_was_killed_leaves_what_it_counted_and_not_what_it_was_doing(sites: Sites, env: dict[str, str]):
    begun, running = 'tasks_app_tasks_begun_total{task="puppet"}', 'tasks_app_tasks_running{task="puppet"}'
    before = sites.scrape().get(begun, 0.0)
    with run_daphne(env=env) as third:
        Site(third).start_puppet("killed")
        sites.wait_for(running, 1)
        kill(third)
        after = sites.wait_for(running, 0)
    assert after[begun] == before + 1


def kill(server: Server) -> None:
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()


@pytest.mark.slow
def test_changes_that_only_a_sweep_finds_are_counted_where_no_layer_tells_of_them(valkey: str, tmp_path: Path):
    env = make_env(valkey, tmp_path) | {"NO_LAYER": "1"}
    with run_daphne(env=env) as first, run_daphne(env=env) as second:
        sites = Sites(Site(first), Site(second))
        task_id = sites.first.start_puppet("unheard")
        with sites.second.open(task_id) as stream:
            sites.first.order("unheard", current=1, total=2)
            stream.read_until(lambda event: event.json()["current"] == 1)
            wait_until(lambda: sites.scrape().get("tasks_app_sweep_changes_total", 0) > 0, "a sweep found it")
        sites.first.order_return("unheard")


@pytest.mark.slow
def test_tasks_of_forked_workers_are_counted(valkey: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    env = make_env(valkey, tmp_path) | {
        "DJANGO_SETTINGS_MODULE": "tests.support.celery_metrics_settings",
        "BROKER_URL": f"redis://{valkey}/10",
    }
    ended = 'tasks_app_tasks_ended_total{state="succeeded",task="tests.support.celery_app.add"}'
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    with run_celery("--concurrency=2", env=env):
        run_python("-c", SEND, env=env)
        wait_until(lambda: read_here().get(ended) == 4, f"each child has counted: {read_here()}")


SEND = "import django; django.setup(); from tests.support.celery_app import add; [add.delay(n, 1) for n in range(4)]"


def read_here() -> Values:
    return parse(generate_latest(make_registry()).decode())
