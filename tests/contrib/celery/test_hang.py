"""Celery tasks while the cache hangs: its server takes connections and answers nothing. No task waits for it."""

import json
import re
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest
from django.test import override_settings

from tasks_app import Snapshot, get_snapshot, start
from tests.support import celery_app as jobs
from tests.support.celery_site import CelerySite, knows, run_celery_site, wait_for_end, wait_for_status
from tests.support.servers import Server
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

#: How long the cache lets whoever asks it wait (None: for ever), and far from that, what a task may take.
TIMEOUTS = [5, None]
SOON = 2.0


@pytest.fixture
def cache() -> Iterator[ValkeyServer]:
    with ValkeyServer() as cache:
        yield cache
        cache.resume()


@pytest.fixture(params=TIMEOUTS, ids=lambda seconds: f"timeout={seconds}")
def site(request: Any, cache: ValkeyServer) -> Iterator[CelerySite]:
    """A site whose cache is not on the broker's server."""
    options = {"socket_timeout": request.param, "socket_connect_timeout": request.param}
    backend = "django.core.cache.backends.redis.RedisCache"
    caches = {"default": {"BACKEND": backend, "LOCATION": cache.connection_url, "OPTIONS": options}}
    with run_celery_site() as site, override_settings(CACHES=caches):
        site.env |= {"VALKEY_URL": cache.connection_url, "CACHE_OPTIONS": json.dumps(options)}
        yield site


def find_times(worker: Server, name: str) -> list[float]:
    """Return how long each task of this name took, as the worker says."""
    times = re.findall(rf"\.{name}\[.*\] succeeded in ([\d.e-]+)s", "".join(worker.output))
    return [float(seconds) for seconds in times]


def wait_for_times(worker: Server, name: str, number: int) -> list[float]:
    """Return how long the tasks of this name took, once there are so many."""
    wait_until(lambda: len(find_times(worker, name)) >= number, f"{number} of {name} ran")
    return find_times(worker, name)


def wait_for_late_end(task_id: str) -> Snapshot:
    """Return the end of a task that nobody could store when it was sent."""
    wait_until(lambda: knows(task_id), f"task {task_id} is known")
    return wait_for_end(task_id)


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_tasks_do_not_wait_for_a_cache_that_hangs_and_are_shown_when_it_is_back(
    site: CelerySite, cache: ValkeyServer, pool: str
):
    with site.run_worker(f"--pool={pool}", "--concurrency=1") as worker:
        wait_for_end(jobs.add.delay(1).id)
        cache.halt()
        task_ids = [jobs.add.delay(number).id for number in range(6)]
        times = wait_for_times(worker, "add", 7)
        cache.resume()
        assert [seconds for seconds in times if seconds > SOON] == []
        assert [wait_for_late_end(task_id).result for task_id in task_ids] == [1, 2, 3, 4, 5, 6]


def test_task_that_runs_when_the_cache_begins_to_hang_ends_and_keeps_its_owner(site: CelerySite, cache: ValkeyServer):
    with site.run_worker("--concurrency=1") as worker:
        task_id = start(jobs.ignore_cancel, owner=7)
        wait_for_status(task_id, "Deaf")
        cache.halt()
        site.say(task_id)
        wait_for_times(worker, "ignore_cancel", 1)
        task_ids = [jobs.add.delay(number).id for number in range(3)]
        assert [seconds for seconds in wait_for_times(worker, "add", 3) if seconds > SOON] == []
        cache.resume()
        ended = wait_for_late_end(task_id)
        assert (ended.result, ended.owner, ended.attempt) == ("go", "7", 1)
        assert [wait_for_late_end(task_id).result for task_id in task_ids] == [1, 2, 3]


@pytest.mark.parametrize("processes", [1, 2])
def test_retry_does_not_wait_for_a_cache_that_hangs(site: CelerySite, cache: ValkeyServer, processes: int):
    with site.run_worker(f"--concurrency={processes}") as worker:
        wait_for_end(jobs.add.delay(1).id)
        cache.halt()
        began = monotonic()
        task_id = jobs.retry.delay(3).id
        wait_for_times(worker, "retry", 1)
        taken = monotonic() - began
        cache.resume()
        assert taken < 2 * SOON  # four attempts, and what it takes to send each
        ended = wait_for_late_end(task_id)
        assert (ended.state, ended.result, ended.attempt) == ("succeeded", 3, 4)


def test_tasks_sent_while_the_cache_hangs_are_known_before_a_worker_begins_them(site: CelerySite, cache: ValkeyServer):
    cache.halt()
    task_ids = [jobs.add.delay(number).id for number in range(5)]
    cache.resume()
    for task_id in task_ids:
        wait_until(lambda task_id=task_id: knows(task_id), f"task {task_id} is known")
        assert get_snapshot(task_id).state == "queued"
