"""What one process reports reaches the viewers of another through a Channels layer, on a real Valkey server."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import pytest

from tests.support.servers import ROOT, Server, run_daphne
from tests.support.valkey import ValkeyServer

LAYERS = ("channels_redis.pubsub.RedisPubSubChannelLayer", "channels_redis.core.RedisChannelLayer")


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    """The URL of a Valkey server."""
    with ValkeyServer() as server:
        yield server.connection_url


@contextmanager
def run_worker(env: dict[str, str]) -> "Iterator[subprocess.Popen[str]]":
    """Run a job whose steps are written to its standard input."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.support.worker"],
        cwd=ROOT,
        env={**os.environ, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with worker:
        try:
            yield worker
        finally:
            worker.kill()


def report(worker: "subprocess.Popen[str]", **values: Any) -> None:
    """Have the job call `progress.update(**values)`."""
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(values) + "\n")
    worker.stdin.flush()


@contextmanager
def follow_worker(server: Server, worker: "subprocess.Popen[str]") -> Iterator[Iterator[dict[str, Any]]]:
    """Give the snapshots of a job whose status is "one", when the first of them was seen."""
    assert worker.stdout is not None
    task_id = worker.stdout.readline().strip()
    report(worker, current=1, total=4, status="one")
    with urllib.request.urlopen(f"{server.url}/task-progress/{task_id}", timeout=15) as stream:
        snapshots = read_snapshots(stream)
        assert wait_for_status(snapshots, "one")["progress"] == 25
        yield snapshots


def end(worker: "subprocess.Popen[str]") -> None:
    """Have the job succeed."""
    assert worker.stdin is not None
    worker.stdin.close()


def read_snapshots(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the data of each event of a stream."""
    for line in stream:
        if line.startswith(b"data: "):
            yield json.loads(line[6:])


def wait_for_status(snapshots: Iterator[dict[str, Any]], status: str) -> dict[str, Any]:
    """Return the first snapshot with this status; the socket's timeout fails a test that waits in vain."""
    return next(snapshot for snapshot in snapshots if snapshot["status"] == status)


@pytest.mark.parametrize("layer", [LAYERS[0], pytest.param(LAYERS[1], marks=pytest.mark.slow)])
def test_change_in_another_process_reaches_viewers_long_before_the_sweep(valkey: str, layer: str):
    env = {"DJANGO_SETTINGS_MODULE": "tests.support.shared_settings", "VALKEY_URL": valkey, "LAYER": layer}
    with run_daphne(env=env) as server, run_worker(env) as worker, follow_worker(server, worker) as snapshots:
        for step, name in ((2, "two"), (3, "three")):
            report(worker, current=step, status=name)
            assert wait_for_status(snapshots, name)["progress"] == step * 25
        end(worker)
        assert [item["state"] for item in snapshots][-2:] == ["succeeded", "succeeded"]


@pytest.mark.slow
def test_without_a_layer_the_sweep_brings_the_change(valkey: str):
    env = {"DJANGO_SETTINGS_MODULE": "tests.support.shared_settings", "VALKEY_URL": valkey}
    env |= {"LAYER": "channels.layers.InMemoryChannelLayer", "SWEEP_INTERVAL": "0.1"}
    with run_daphne(env=env) as server, run_worker(env) as worker, follow_worker(server, worker) as snapshots:
        report(worker, status="two")
        wait_for_status(snapshots, "two")


def test_layer_that_fails_delays_nothing_but_the_wake_up(valkey: str):
    env = {"DJANGO_SETTINGS_MODULE": "tests.support.shared_settings", "VALKEY_URL": valkey, "SWEEP_INTERVAL": "0.1"}
    env |= {"LAYER": "tests.no_such_layer"}
    with run_daphne(env=env) as server, run_worker(env) as worker, follow_worker(server, worker) as snapshots:
        end(worker)
        assert [item["state"] for item in snapshots][-1] == "succeeded"


@pytest.mark.slow
def test_read_that_ends_by_the_time_limit_of_its_connection_is_silence_and_no_failure(valkey: str):
    """As each is with redis-py 8 and a host as the guide of channels_redis gives it."""
    env = {"DJANGO_SETTINGS_MODULE": "tests.support.shared_settings", "VALKEY_URL": valkey, "LAYER": LAYERS[1]}
    env |= {"LAYER_TIMEOUT": "5"}
    with run_daphne(env=env) as server, run_worker(env) as worker, follow_worker(server, worker) as snapshots:
        threading.Event().wait(6)  # one read ends, another begins
        report(worker, current=2, status="two")
        assert wait_for_status(snapshots, "two")["progress"] == 50
    assert "listening for wake-ups failed" not in "".join(server.output)
