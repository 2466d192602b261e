"""Tasks that a broker drops without a word because they expired, as RabbitMQ does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.test import AsyncClient, override_settings
from redis import Redis

from tasks_app import Snapshot, get_snapshot, start
from tasks_app.lifecycle.attempts import begin, pass_on
from tasks_app.store.received import find_received, note_received
from tasks_app.store.store import get_store
from tasks_app.streaming.polling import observe_texts
from tests.support import celery_app as jobs
from tests.support.celery_site import CelerySite, run_celery_site, wait_for, wait_for_end, wait_for_status
from tests.support.settings import TASKS_APP
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

TIMES = {"STALLED_AFTER": 0.2, "LOST_AFTER": 0.5, "HEARTBEAT": 0.1}


@pytest.fixture(scope="module")
def site() -> Iterator[CelerySite]:
    with run_celery_site() as site, override_settings(TASKS_APP={**TASKS_APP, **TIMES}):
        yield site


def drop_all(site: CelerySite) -> None:
    """Do to all messages what RabbitMQ does to expired ones."""
    with Redis.from_url(site.broker_url) as client:
        client.delete("celery")


def wait_for_expiry(task_id: str) -> None:
    end = wait_for_end(task_id)
    assert (end.state, end.status, end.cancel_requested) == ("cancelled", "Expired before it began", False)


def send_expired() -> str:
    return str(jobs.add.apply_async((1,), expires=datetime.now(UTC) - timedelta(minutes=1)).id)


@pytest.mark.parametrize(
    "send",
    [lambda: jobs.add.apply_async((1,), expires=0.2).id, lambda: start(jobs.add.s(1).set(expires=0.2))],
    ids=["delay", "start"],
)
def test_task_that_the_broker_dropped_is_cancelled_for_who_asks(site, send):
    task_id = send()
    drop_all(site)
    assert get_snapshot(task_id).state == "queued"
    wait_for_expiry(task_id)


def test_process_that_asks_once_is_told(site):
    assert get_snapshot(send_expired()).status == "Expired before it began"


async def test_stream_ends_when_the_task_has_expired(site):
    response = await AsyncClient().get(f"/task-progress/{send_expired()}")
    text = b"".join([part async for part in response.streaming_content]).decode()
    assert ("Expired before it began" in text, "event: end" in text) == (True, True)


def test_lists_tell_that_a_task_has_expired(site):
    task_id = send_expired()
    (shown,) = observe_texts([task_id], get_store().read([task_id]))
    assert shown.state == "cancelled"


def test_task_that_has_just_expired_may_still_begin(site):
    task_id = jobs.add.apply_async((1,), expires=datetime.now(UTC) - timedelta(seconds=0.1)).id
    assert get_snapshot(task_id).state == "queued"


def test_task_that_waits_in_a_worker_is_not_taken_for_dropped(site):
    with site.run_worker("--pool=threads", "--concurrency=1", "--prefetch-multiplier=2", **TIMES):
        first = jobs.count.delay(1, wait=True).id
        wait_for_status(first, "Waiting")
        second = jobs.add.apply_async((1,), expires=2).id
        wait_until(lambda: find_received([second]), "the worker has received it")
        wait_until(lambda: (datetime.now(UTC) - get_snapshot(second).expires_at).total_seconds() > 0.7, "it expired")
        assert get_snapshot(second).state == "queued"
        site.say(first)
        assert wait_for_end(second).state == "succeeded"


def test_task_that_waited_in_a_worker_which_was_killed_has_expired(site):
    with site.run_worker("--pool=threads", "--concurrency=1", "--prefetch-multiplier=2", **TIMES) as worker:
        first = jobs.count.delay(1, wait=True).id
        wait_for_status(first, "Waiting")
        second = jobs.add.apply_async((1,), expires=1).id
        wait_until(lambda: find_received([second]), "the worker has received it")
        worker.process.kill()
    wait_for_expiry(second)


def test_note_outlives_a_cache_that_was_emptied(site):
    with site.run_worker("--pool=threads", "--concurrency=1", "--prefetch-multiplier=2", **TIMES):
        first = jobs.count.delay(1, wait=True).id
        wait_for_status(first, "Waiting")
        second = jobs.add.apply_async((1,), expires=600).id
        wait_until(lambda: find_received([second]), "the worker has received it")
        get_store().cache.clear()
        wait_until(lambda: find_received([second]), "the worker says so again")
        site.say(first)
        assert wait_for_end(second).state == "succeeded"


def test_retry_keeps_the_time_at_which_it_expires(site):
    with site.run_worker("--pool=solo", **TIMES):
        task_id = jobs.retry.apply_async((1,), {"countdown": 60}, expires=3600).id
        first = get_snapshot(task_id).expires_at
        again = wait_for(task_id, lambda snapshot: snapshot.attempt == 1 and snapshot.state == "queued")
    assert again.expires_at == first


def test_note_of_an_earlier_message_does_not_keep_a_retry_waiting(site):
    expired = datetime.now(UTC) - timedelta(minutes=1)
    reporter = begin(Snapshot.queued("again", "demo", now=expired))
    note_received(["again"])
    pass_on(reporter, expires_at=expired)
    assert get_snapshot("again").status == "Expired before it began"
