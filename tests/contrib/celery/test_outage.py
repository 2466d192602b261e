"""Celery tasks while the cache or the broker is away: they run all the same, and are seen to their end."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from tasks_app import StoreUnavailable, start
from tests.support import celery_app as jobs
from tests.support.celery_site import (
    CelerySite,
    disconnect,
    knows,
    run_celery_site,
    wait_for_end,
    wait_for_status,
)
from tests.support.servers import Server, find_free_port
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


def cache_at(url: str) -> dict[str, Any]:
    return {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}}


@pytest.fixture
def site() -> Iterator[CelerySite]:
    """A site whose cache is not on the broker's server."""
    url = f"redis://127.0.0.1:{find_free_port()}/0"
    with run_celery_site() as site, override_settings(CACHES=cache_at(url)):
        site.env["VALKEY_URL"] = url
        yield site


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_tasks_of_an_outage_run_and_are_shown_when_the_cache_is_back_and_empty(site: CelerySite, pool: str):
    port = int(site.env["VALKEY_URL"].rpartition(":")[2].removesuffix("/0"))
    with site.run_worker(f"--pool={pool}", "--concurrency=2") as worker:
        with ValkeyServer(port=port):
            running = start(jobs.ignore_cancel, owner=7)
            wait_for_status(running, "Deaf")
        sent = jobs.add.delay(1).id
        with pytest.raises(StoreUnavailable):
            start(jobs.add, 1)
        site.say(running)
        wait_until(lambda: has_succeeded(worker, running), "the running task went on")
        wait_until(lambda: has_succeeded(worker, sent), "the sent task ran")
        with ValkeyServer(port=port):
            wait_until(lambda: knows(running) and knows(sent), "the tasks are known again")
            ended = wait_for_end(running)
            assert (ended.state, ended.result, ended.owner) == ("succeeded", "go", "7")
            assert wait_for_end(sent).result == 2


@pytest.fixture
def broker_port(site: CelerySite) -> Iterator[int]:
    """Where the broker is to be, which the test starts and stops; the server of the site holds the cache alone."""
    port, cache_url = find_free_port(), site.broker_url.removesuffix("/0") + "/1"
    site.env |= {"BROKER_URL": f"redis://127.0.0.1:{port}/0", "VALKEY_URL": cache_url}
    jobs.app.conf.broker_url = site.env["BROKER_URL"]
    disconnect()
    with override_settings(CACHES=cache_at(cache_url)):
        yield port


def test_running_task_does_not_notice_that_the_broker_goes_away_and_comes_back(
    site: CelerySite, broker_port: int, tmp_path: Path
):
    with ExitStack() as brokers:
        brokers.enter_context(ValkeyServer(port=broker_port))
        with site.run_worker("--concurrency=1") as worker:
            task_id = start(jobs.wait_for_file, str(tmp_path / "go"))
            wait_for_status(task_id, "Waiting")
            brokers.close()
            wait_until(lambda: count_lines(worker, "Connection to broker lost"), "the worker has noticed")
            brokers.enter_context(ValkeyServer(port=broker_port))
            wait_until(lambda: count_lines(worker, "Connected to redis") == 2, "it is back")
            (tmp_path / "go").touch()
            assert wait_for_end(task_id).result == "found"
            assert wait_for_end(start(jobs.add, 1)).result == 2


def count_lines(worker: Server, text: str) -> int:
    """Return how many lines the worker has printed that hold this text."""
    return sum(text in line for line in worker.output)


def has_succeeded(worker: Server, task_id: str) -> bool:
    return any(task_id in line and " succeeded in " in line for line in worker.output)
