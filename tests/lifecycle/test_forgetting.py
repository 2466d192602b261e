"""Deleted users: who gets their key next sees nothing of their tasks, and what runs goes on."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import caches
from django.db import transaction
from django.test.utils import isolate_apps

from tasks_app import get_snapshot, start, start_batch, task_run, wakeups
from tasks_app.backends import InProcessBackend
from tasks_app.exceptions import StoreUnavailable
from tasks_app.lifecycle import forgetting
from tasks_app.lifecycle.forgetting import PAUSES, Forgetter, forget_owners, on_user_deleted
from tasks_app.monitor.owner_names import afind_owner_names
from tasks_app.reporting import get_flusher, process
from tasks_app.snapshot import GONE, Snapshot
from tasks_app.store.keys import make_details_key, make_page_key
from tasks_app.store.store import Store, get_store
from tests.support import jobs
from tests.support.caches import Controls
from tests.support.doubles import FakeTime, HandFlusher
from tests.support.viewers import NOW, make_running, put
from tests.support.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user() -> User:
    return User.objects.create(username="ada")


@pytest.fixture
def remote_cache(settings: Any, tmp_path: Path) -> Iterator[None]:
    """A cache that is no part of this process."""
    backend = "django.core.cache.backends.filebased.FileBasedCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": tmp_path, "OPTIONS": {"MAX_ENTRIES": 100_000}}}
    yield
    wait_until(lambda: not get_flusher().reporters, "every task ended and was stored")


def put_ended(owner: str, task_id: str = "t1") -> Snapshot:
    """Store, and list, a task that has left something everywhere."""
    begun = replace(make_running(task_id, owner=owner), label="Ada's report", status="For Ada", meta={"for": "Ada"})
    snapshot = begun.succeeded({"of": "Ada"}, now=NOW, said="Ada's is done").having_logged(1)
    put(snapshot)
    caches["default"].set_many({make_page_key(task_id, 0): "Ada", make_details_key(task_id, 1): "Ada"})
    get_store().list_as_recent([snapshot])
    return snapshot


def test_ended_task_belongs_to_nobody_and_is_emptied(user):
    put_ended(str(user.pk))
    user.delete()
    left = get_snapshot("t1")
    assert (left.owner, left.state, left.progress, left.finished_at) == ("", "succeeded", 100, NOW)
    assert "Ada" not in left.to_json()


def test_log_and_details_of_an_ended_task_are_deleted(user):
    put_ended(str(user.pk))
    user.delete()
    assert caches["default"].get_many([make_page_key("t1", 0), make_details_key("t1", 1)]) == {}


def test_error_of_an_ended_task_says_nothing(user):
    failed = make_running(owner=str(user.pk)).failed("ValueError", "Ada's row", now=NOW)
    put(failed)
    get_store().list_as_recent([failed])
    user.delete()
    assert "Ada" not in get_snapshot("t1").to_json()


def test_users_of_a_queryset_are_forgotten(user):
    put_ended(str(user.pk))
    User.objects.filter(username="ada").delete()
    assert get_snapshot("t1").owner == ""


@isolate_apps("tests")
def test_proxy_that_is_installed_is_listened_to(user, monkeypatch):
    class Person(User):
        class Meta:
            proxy = True
            app_label = "tests"

    monkeypatch.setattr(forgetting.apps, "get_models", lambda: [User, Person])
    forgetting.connect_users()
    put_ended(str(user.pk))
    Person.objects.get(pk=user.pk).delete()
    forgetting.post_delete.disconnect(sender=Person, dispatch_uid="tasks_app")
    assert get_snapshot("t1").owner == ""


@pytest.mark.parametrize("owner", ["12345", None])
def test_tasks_of_others_stay_as_they_are(user, owner):
    before = put_ended(owner)
    user.delete()
    assert get_snapshot("t1") == before


def test_all_of_many_tasks_are_taken_from_their_owner(user, monkeypatch):
    monkeypatch.setattr(forgetting, "BATCH_SIZE", 2)
    for number in range(5):
        put_ended(str(user.pk), f"t{number}")
    user.delete()
    assert [get_snapshot(f"t{number}").owner for number in range(5)] == [""] * 5


def test_task_of_another_that_speaks_of_the_user_stays_as_it_is(user):
    running = replace(make_running("t1", owner="12345"), meta={"owner": str(user.pk)})
    before = running.succeeded(now=NOW)
    put(before)
    get_store().list_as_recent([before])
    user.delete()
    assert get_snapshot("t1").owner == "12345"


def test_group_with_the_same_key_is_no_user(user):
    before = put_ended(str(user.pk))
    Group.objects.create(pk=user.pk, name="editors").delete()
    assert get_snapshot("t1") == before


def test_task_that_another_process_runs_is_left_to_it(user):
    running = make_running("t1", owner=str(user.pk))
    put(running)
    get_store().list_as_recent([running])
    user.delete()
    assert get_store().get("t1") == running


def test_task_that_is_about_to_be_written_here_is_written_by_its_reporter_alone(user, monkeypatch):
    waiting = Snapshot.queued("t1", "demo", now=NOW, owner=str(user.pk))
    put(waiting)
    get_store().list_as_recent([waiting])
    reporter = get_flusher().make_reporter(waiting, is_stored=True)
    get_flusher().add(reporter)
    stored: list[str] = []
    save, here = Store.save, threading.current_thread()

    def note_and_save(self: Store, snapshots: Any, *args: Any) -> Any:
        stored.extend(item.task_id for item in snapshots if threading.current_thread() is here)
        return save(self, snapshots, *args)

    monkeypatch.setattr(Store, "save", note_and_save)
    try:
        with get_flusher()._flush_lock:  # else it may be written before its owner is forgotten
            user.delete()
        wait_until(lambda: get_store().get("t1").owner == "", "it is written")
    finally:
        get_flusher().remove(reporter)
    assert stored == []


def test_viewers_are_told_that_a_task_has_changed(user):
    put_ended(str(user.pk))
    told: list[str] = []
    wakeups.listen(told.extend)
    try:
        user.delete()
    finally:
        wakeups.ignore(told.extend)
    assert told == ["t1"]


def test_deletion_does_not_fail_with_the_cache(cache: Controls, user, caplog):
    cache.break_down()
    user.delete()
    assert not User.objects.exists()
    assert "CacheDown" in caplog.text


def test_deletion_that_is_rolled_back_forgets_nobody(user):
    before = put_ended(str(user.pk))
    with suppress(RuntimeError), transaction.atomic():
        user.delete()
        raise RuntimeError
    assert get_snapshot("t1") == before


def test_copy_of_the_users_in_another_database_is_none_of_them(user):
    before = put_ended(str(user.pk))
    on_user_deleted(instance=user, using="archive")
    assert get_snapshot("t1") == before


def test_task_that_runs_here_goes_on_for_nobody(user):
    task_id = start(jobs.wait, owner=user)
    wait_until(lambda: get_snapshot(task_id).state == "running", "it runs")
    user.delete()
    assert get_snapshot(task_id).owner == ""
    jobs.gate.set()
    wait_until(lambda: get_snapshot(task_id).is_terminal, "it ends")
    assert (get_snapshot(task_id).state, get_snapshot(task_id).owner) == ("succeeded", "")


def test_job_that_deletes_its_own_user_ends_well(user):
    with task_run("delete-account", owner=user) as task:
        user.delete()
    assert (get_snapshot(task.task_id).state, get_snapshot(task.task_id).owner) == ("succeeded", "")


def test_task_that_waits_for_another_process_belongs_to_nobody(user):
    waiting = Snapshot.queued("t1", "demo", now=NOW, owner=str(user.pk), label="Ada's")
    put(waiting)
    get_store().list_as_recent([waiting])
    user.delete()
    assert (get_snapshot("t1").owner, get_snapshot("t1").label) == ("", "Ada's")


@pytest.mark.parametrize(("seconds", "owner"), [(0, ""), (60, "7")])
def test_process_that_runs_a_task_learns_that_its_owner_is_gone(time, seconds, owner):
    """A task that is made later is that of the next user with the key."""
    elsewhere = HandFlusher(time.clock)
    snapshot = Snapshot.queued("t1", "demo", now=get_flusher().clock.now() + timedelta(seconds=seconds), owner="7")
    reporter = elsewhere.make_reporter(snapshot)
    reporter.begin()
    elsewhere.add(reporter)
    elsewhere.flush()
    forget_owners({"7"})
    elsewhere.sweep()
    elsewhere.flush()
    assert (get_store().get("t1").owner, reporter.awaits_cancel) == (owner, True)


def test_batch_whose_owner_is_deleted_while_it_is_sent_belongs_to_nobody(user, monkeypatch):
    enqueue = InProcessBackend.enqueue

    def enqueue_without_owner(self: InProcessBackend, *args: Any) -> Any:
        if user.pk is not None:
            user.delete()
        return enqueue(self, *args)

    monkeypatch.setattr(InProcessBackend, "enqueue", enqueue_without_owner)
    assert get_snapshot(start_batch(jobs.wait, [()], owner=user)).owner == GONE


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


def test_process_asks_for_gone_owners_once_a_heartbeat(time, cache, settings):
    elsewhere = HandFlusher(time.clock)
    reporter = elsewhere.make_reporter(Snapshot.queued("t1", "demo", now=time.now, owner="7"))
    elsewhere.add(reporter)
    cache.take_reads()
    for _ in range(3):
        elsewhere.sweep()
    time.move(settings.TASKS_APP.get("HEARTBEAT", 5))
    elsewhere.sweep()
    asked = [keys for keys in cache.take_reads() if any("gone" in key for key in keys)]
    assert len(asked) == 2


@pytest.mark.usefixtures("remote_cache")
def test_cache_on_a_server_is_not_waited_for(user):
    put_ended(str(user.pk))
    user.delete()
    wait_until(lambda: get_snapshot("t1").owner == "", "the task was taken from its owner")


def test_cache_that_fails_is_tried_again(cache: Controls, user):
    put_ended(str(user.pk))
    cache.break_down("set_many")
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            cache.repair()

    forgetter = Forgetter(sleep)
    forgetter.add(str(user.pk))
    assert forgetter.drain(10)
    assert (pauses, get_snapshot("t1").owner) == (list(PAUSES[:2]), "")


def test_cache_that_refuses_a_task_is_an_error(cache: Controls, user):
    put_ended(str(user.pk))
    cache.refused = "t1"
    with pytest.raises(StoreUnavailable, match="t1"):
        forget_owners({str(user.pk)})


@pytest.mark.usefixtures("remote_cache")
def test_cache_on_a_server_is_used_in_another_thread_which_leaves_no_connection(user, monkeypatch):
    threads: list[threading.Thread] = []
    monkeypatch.setattr(forgetting, "forget_owners", lambda owners: threads.append(threading.current_thread()))
    monkeypatch.setattr(Store, "close_old_connections", lambda self: threads.append(threading.current_thread()))
    user.delete()
    wait_until(lambda: len(threads) == 2, "the user is forgotten")
    assert len({*threads, threading.current_thread()}) == 2


@pytest.mark.usefixtures("remote_cache")
def test_process_that_ends_forgets_its_users_first(user, monkeypatch):
    is_ending, forget, drain = threading.Event(), forget_owners, Forgetter.drain

    def forget_late(owners: Any) -> None:
        is_ending.wait(DEADLINE)
        forget(owners)

    def note_and_drain(self: Forgetter, timeout: float) -> bool:
        is_ending.set()
        return drain(self, timeout)

    monkeypatch.setattr(forgetting, "forget_owners", forget_late)
    monkeypatch.setattr(Forgetter, "drain", note_and_drain)
    put_ended(str(user.pk))
    user.delete()
    for function in process._before_end:
        function(DEADLINE)
    owner = get_store().get("t1").owner
    is_ending.set()
    assert owner == ""


async def test_monitor_says_that_the_owner_is_gone():
    assert await afind_owner_names({""}) == {"": "(deleted user)"}
