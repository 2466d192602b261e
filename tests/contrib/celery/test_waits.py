"""Tasks that wait on purpose, longer than a task without news is kept: `countdown`, `eta` and retries."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from celery import chain
from django.core.cache import caches
from django.test import override_settings

from tasks_app import cancel, get_snapshot, start
from tasks_app.store.keys import make_cancel_key, make_recent_key, make_task_key
from tasks_app.store.recent import RECENT_TASKS
from tasks_app.store.store import get_store
from tests.support import celery_app as jobs
from tests.support.celery_site import CelerySite, run_celery_site, wait_for, wait_for_status
from tests.support.settings import TASKS_APP
from tests.support.waiting import wait_until

DAY = 86400
TIMES = {"ACTIVE_TTL": 60, "HEARTBEAT": 0.3}


@pytest.fixture(scope="module")
def site() -> Iterator[CelerySite]:
    with run_celery_site() as site, override_settings(TASKS_APP={**TASKS_APP, **TIMES}):
        yield site


@pytest.fixture(scope="module")
def worker(site: CelerySite) -> Iterator[None]:
    with site.run_worker("--pool=solo", **TIMES):
        yield


def read_ttl(key: str) -> float:
    """Return the seconds for which the cache keeps a key."""
    cache = caches["default"]
    return float(cache._cache.get_client(key).ttl(cache.make_key(key)))


@pytest.mark.parametrize(
    "send",
    [
        lambda: start(jobs.add.s(1).set(countdown=DAY)),
        lambda: start(jobs.add.s(1).set(eta=datetime.now(UTC) + timedelta(days=1))),
        lambda: jobs.add.apply_async((1,), countdown=DAY).id,
        lambda: jobs.add.apply_async((1,), eta=datetime.now(UTC) + timedelta(days=1)).id,
        lambda: jobs.add.apply_async((1,), eta=datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)).id,
    ],
    ids=["start-countdown", "start-eta", "countdown", "eta", "eta-without-zone"],
)
def test_task_is_kept_until_it_may_begin_and_for_active_ttl(site, send):
    assert read_ttl(make_task_key(send())) == pytest.approx(DAY + 60, abs=5)


@pytest.mark.usefixtures("worker")
def test_retry_is_kept_until_it_may_begin(site):
    task_id = start(jobs.retry, 1, countdown=DAY)
    wait_for(task_id, lambda snapshot: (snapshot.state, snapshot.attempt) == ("queued", 1))
    assert read_ttl(make_task_key(task_id)) == pytest.approx(DAY + 60, abs=15)


@pytest.mark.parametrize(
    "send",
    [
        lambda: jobs.add.apply_async((1,), queue="without-worker").id,
        lambda: start(jobs.add.s(1).set(queue="without-worker")),
        lambda: start(jobs.add.s(1).set(countdown=DAY)),
    ],
    ids=["apply_async", "start", "countdown"],
)
def test_waiting_task_is_stored_again_by_its_sender_once_the_cache_was_emptied(site, send):
    sent = get_snapshot(send())
    caches["default"].clear()
    wait_until(lambda: get_store().get(sent.task_id) == sent, "it is stored again as it was")


@pytest.mark.usefixtures("worker")
def test_waiting_retry_is_stored_again_by_its_worker_once_the_cache_was_emptied(site):
    task_id = start(jobs.retry, 1, countdown=DAY)
    waiting = wait_for(task_id, lambda snapshot: (snapshot.state, snapshot.attempt) == ("queued", 1))
    caches["default"].clear()
    wait_until(lambda: get_store().get(task_id) == waiting, "it is stored again as it was")


def test_list_keeps_a_task_until_it_may_begin(site):
    task_id = start(jobs.add.s(1).set(countdown=DAY))
    places = [make_recent_key(place) for place in range(RECENT_TASKS)]  # others of this process are listed again
    wait_until(lambda: task_id in {item[1] for item in caches["default"].get_many(places).values()}, "it is listed")
    place = next(key for key, item in caches["default"].get_many(places).items() if item[1] == task_id)
    assert read_ttl(place) == pytest.approx(DAY + 60, abs=15)


def test_request_to_cancel_is_kept_until_the_task_may_begin(site):
    task_id = start(jobs.add.s(1).set(countdown=DAY))
    cancel(task_id)
    assert read_ttl(make_cancel_key(task_id)) == pytest.approx(DAY + 60, abs=15)


def test_times_are_not_on_the_wire(site):
    snapshot = get_snapshot(start(jobs.add.s(1).set(countdown=DAY, expires=2 * DAY)))
    assert snapshot.expires_at is not None
    assert not {"not_before", "expires_at"} & set(snapshot.to_wire())


def test_promised_step_is_kept_until_the_one_before_it_may_begin(site):
    last = chain(jobs.add.si(1).set(countdown=DAY), jobs.add.si(2)).apply_async()
    assert read_ttl(make_task_key(last.id)) == pytest.approx(DAY + 60, abs=5)


@pytest.mark.usefixtures("worker")
def test_promised_steps_are_kept_until_a_later_one_that_is_sent_may_begin(site):
    last = chain(jobs.add.si(1), jobs.add.si(2).set(countdown=DAY), jobs.add.si(3)).apply_async()
    keys = [make_task_key(last.parent.id), make_task_key(last.id)]
    wait_until(lambda: min(map(read_ttl, keys)) > DAY, "both are kept for longer")
    assert [get_snapshot(task_id).state for task_id in (last.parent.id, last.id)] == ["queued", "queued"]


@pytest.mark.usefixtures("worker")
def test_promised_step_is_kept_while_the_one_before_it_runs(site):
    last = chain(jobs.count.si(1, wait=True), jobs.add.si(2)).apply_async()
    key = make_task_key(last.id)
    caches["default"].touch(key, 5)
    wait_for_status(last.parent.id, "Waiting")
    wait_until(lambda: read_ttl(key) > 30, "it is kept for longer")
    caches["default"].delete(key)
    wait_until(lambda: caches["default"].get(key), "it is stored again")
    site.say(last.parent.id)
    wait_for(last.id, lambda snapshot: snapshot.state == "succeeded")
