"""Which tasks are enqueued in a burst, and how these are stored."""

from collections.abc import Iterator

import pytest
from django.core.cache import BaseCache, caches
from django.db import transaction

from tasks_app import get_snapshot, start
from tasks_app.lifecycle.bursts import BURST_SECONDS, Bursts
from tasks_app.reporting.process import get_flusher
from tasks_app.store.keys import make_task_key
from tasks_app.store.store import decode, get_store
from tests.support import jobs
from tests.support.waiting import DEADLINE, wait_until


@pytest.fixture
def bursts(time) -> Bursts:
    return Bursts(time.clock.monotonic)


def test_single_task_is_in_no_burst(bursts):
    assert not bursts.note()


def test_task_that_follows_another_closely_is_in_a_burst(bursts, time):
    bursts.note()
    time.move(BURST_SECONDS / 2)
    assert bursts.note()


def test_burst_ends_with_a_pause(bursts, time):
    bursts.note()
    bursts.note()
    time.move(BURST_SECONDS)
    assert not bursts.note()


@pytest.fixture
def busy(monkeypatch) -> Iterator[None]:
    """Every task counts as one of a burst."""
    monkeypatch.setattr(Bursts, "note", lambda self: True)
    yield
    jobs.gate.set()
    assert get_flusher().drain(DEADLINE)


@pytest.fixture
def shared(settings) -> None:
    """The cache is none in the memory of this process, as far as the store knows."""
    settings.CACHES = {"default": {"BACKEND": "tests.support.backends.BareCache", "LOCATION": "bursts"}}


@pytest.mark.usefixtures("shared", "busy")
def test_tasks_of_a_burst_are_stored_and_listed_in_a_moment():
    task_ids = [jobs.wait.enqueue().id for _ in range(3)]
    wait_until(lambda: get_store().read(task_ids).keys() == set(task_ids), "all are stored")
    wait_until(lambda: set(task_ids) <= set(get_store().find_recent()), "all are listed")


@pytest.fixture
def still(busy, monkeypatch) -> Iterator[None]:
    """The flusher writes nothing."""
    with monkeypatch.context() as patch:
        patch.setattr(type(get_flusher()), "flush", lambda self, **options: True)
        yield


@pytest.mark.usefixtures("shared", "still")
def test_task_of_a_burst_is_known_in_its_process_before_it_is_stored():
    task_id = jobs.wait.enqueue().id
    assert get_store().get(task_id) is None
    assert get_snapshot(task_id).task_id == task_id


@pytest.mark.usefixtures("still")
def test_task_that_is_started_is_stored_at_once():
    task_id = start(jobs.wait)
    assert get_store().get(task_id).task_id == task_id


@pytest.mark.usefixtures("still")
@pytest.mark.django_db(transaction=True)
def test_task_that_is_started_in_a_transaction_is_stored_at_the_commit():
    with transaction.atomic():
        task_id = start(jobs.wait)
    assert get_store().get(task_id).task_id == task_id


@pytest.fixture
def local(settings, still) -> Iterator[BaseCache]:
    """The cache is in the memory of this process, and the flusher writes nothing."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "bursts"}}
    yield caches["default"]
    caches["default"].clear()


@pytest.mark.usefixtures("local")
def test_task_of_a_burst_is_found_in_a_local_cache_at_once():
    task_ids = [jobs.wait.enqueue().id for _ in range(3)]
    assert get_store().read(task_ids).keys() == set(task_ids)


@pytest.mark.usefixtures("local")
def test_task_of_a_burst_is_listed_from_a_local_cache():
    task_ids = [jobs.wait.enqueue().id for _ in range(3)]
    get_flusher().sweep()
    assert set(task_ids) <= set(get_store().find_recent())


def test_task_of_a_burst_is_written_to_a_local_cache_once_it_is_read(local):
    task_id = jobs.wait.enqueue().id
    assert local.get(make_task_key(task_id)) is None
    get_store().get(task_id)
    assert decode(task_id, local.get(make_task_key(task_id))).state == "queued"
