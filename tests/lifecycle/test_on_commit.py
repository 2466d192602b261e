"""Tasks that are started in a transaction begin after its commit, and never after a rollback."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.urls import include, path

from tasks_app import (
    StoreUnavailable,
    TaskNotFound,
    announce,
    astart,
    cancel,
    get_snapshot,
    start,
    start_response,
)
from tasks_app.lifecycle import enqueue
from tests.support import jobs
from tests.support.db_site import run_python
from tests.support.doubles import controlled_cache
from tests.support.jobs import task
from tests.support.sparse_backend import SparseBackend, Talk
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

SPARSE = f"{SparseBackend.__module__}.{SparseBackend.__qualname__}"


@task
def find_user(name: str) -> bool:
    try:
        return User.objects.filter(username=name).exists()
    finally:
        connection.close()


def is_known(task_id: str) -> bool:
    try:
        return get_snapshot(task_id).task_id == task_id
    except TaskNotFound:
        return False


def wait_for_end(task_id: str) -> Any:
    wait_until(lambda: is_known(task_id) and get_snapshot(task_id).is_terminal, f"task {task_id} ended")
    return get_snapshot(task_id)


# --- in process ---


def test_task_waits_for_the_commit_and_belongs_to_its_owner():
    with transaction.atomic():
        task_id = start(jobs.add, 1, owner=7)
        assert not is_known(task_id)
    ended = wait_for_end(task_id)
    assert (ended.state, ended.result, ended.owner) == ("succeeded", 2, "7")


def test_task_finds_what_its_transaction_has_stored():
    with transaction.atomic():
        User.objects.create_user("ada")
        task_id = start(find_user, "ada")
    assert wait_for_end(task_id).result is True


def test_task_is_unknown_after_a_rollback():
    with transaction.atomic():
        task_id = start(jobs.add, 1)
        transaction.set_rollback(True)
    assert not is_known(task_id)


def test_task_of_a_savepoint_that_is_rolled_back_is_unknown():
    with transaction.atomic():
        with transaction.atomic():
            task_id = start(jobs.add, 1)
            transaction.set_rollback(True)
        other = start(jobs.add, 1)
    wait_for_end(other)
    assert not is_known(task_id)


@pytest.mark.parametrize("on_commit", [None, True, False])
def test_task_outside_of_a_transaction_is_known_at_once(on_commit):
    assert is_known(start(jobs.add, 1, on_commit=on_commit))


def test_task_is_known_at_once_if_its_caller_wants_so():
    with transaction.atomic():
        assert is_known(start(jobs.add, 1, on_commit=False))


def test_task_has_the_arguments_of_its_start():
    with transaction.atomic():
        value = [1]
        task_id = start(jobs.echo, value)
        value.append(2)
    assert wait_for_end(task_id).result == [1]


def test_arguments_that_are_not_json_are_refused_at_once():
    with transaction.atomic(), pytest.raises(TypeError):
        start(jobs.echo, object())


@pytest.mark.parametrize("value", ["default", 1])
def test_option_that_is_none_of_these_is_named(value):
    with pytest.raises(ValueError, match=f"on_commit must be True, False or None, not {value!r}"):
        start(jobs.add, 1, on_commit=value)


# --- two databases ---

TWO = """
import django, json; django.setup()
from django.db import connections, transaction
from tasks_app import TaskNotFound, get_snapshot, start
from tests.support.jobs import add
def is_known(task_id):
    try:
        return bool(get_snapshot(task_id))
    except TaskNotFound:
        return False
def run(outer, inner, fails):
    with transaction.atomic(using=outer):
        with transaction.atomic(using=inner):
            task_id = start(add, 1)
            transaction.set_rollback(inner == fails, using=inner)
        after_inner = is_known(task_id)
        transaction.set_rollback(outer == fails, using=outer)
    return [after_inner, is_known(task_id)]
print(json.dumps([run(*pair, fails) for pair in (("default", "b"), ("b", "default")) for fails in ("", *pair)]))
"""


def test_task_waits_for_every_database_and_is_unknown_if_one_rolls_back():
    found = json.loads(run_python("-c", TWO, env={"DJANGO_SETTINGS_MODULE": "tests.support.two_databases"}))
    assert found == [[False, True], [False, False], [False, False]] * 2


# --- in async code ---


def test_task_that_async_code_starts_waits_for_the_commit_of_its_caller():
    with transaction.atomic():
        task_id = async_to_sync(astart)(jobs.add, 1, owner=7)
        assert not is_known(task_id)
    assert wait_for_end(task_id).owner == "7"


@pytest.mark.parametrize("on_commit", [None, True, False])
async def test_task_of_async_code_without_a_transaction_is_known_at_once(on_commit):
    task_id = await astart(jobs.add, 1, on_commit=on_commit)
    assert is_known(task_id)


# --- in a request ---


def upload(request):
    User.objects.create_user(request.GET["name"])
    return start_response(request, start(find_user, request.GET["name"]), task="find_user")


urlpatterns = [path("upload", upload), path("", include("tasks_app.urls"))]


@pytest.fixture
def client(settings) -> Iterator[Client]:
    """A site each of whose requests is a transaction."""
    connection = transaction.get_connection()
    settings.ROOT_URLCONF = __name__
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    yield Client()
    connection.settings_dict["ATOMIC_REQUESTS"] = False


def test_answer_of_a_view_in_a_transaction_leads_to_a_task_that_is_known(client):
    task_id = client.post("/upload?name=ada").json()["task_id"]
    assert is_known(task_id)
    assert wait_for_end(task_id).result is True


# --- what fails at the commit ---


def test_task_that_can_not_be_enqueued_at_the_commit_fails_and_spares_other_hooks(settings, caplog):
    backend = settings.TASKS["default"]["BACKEND"]
    settings.TASKS = {**settings.TASKS, "full": {"BACKEND": backend, "OPTIONS": {"max_workers": 1, "max_queue": 1}}}
    waiting = jobs.wait.using(backend="full")
    started = [start(waiting)]
    wait_until(lambda: get_snapshot(started[0]).state == "running", "the only worker is busy")
    started.append(start(waiting))
    hooks: list[str] = []
    with transaction.atomic():
        task_id = start(waiting, owner=7)
        transaction.on_commit(lambda: hooks.append("called"))
    failed = wait_for_end(task_id)
    assert (failed.state, failed.error["type"], failed.owner) == ("failed", "Exception", "7")
    assert hooks == ["called"]
    assert f"task {task_id}: it could not be enqueued after the commit" in caplog.text


def test_task_whose_id_is_another_owners_at_the_commit_does_not_run(caplog):
    with transaction.atomic():
        task_id = start(jobs.add, 1, owner=7)
        announce("report", owner=8, task_id=task_id)
    assert f"task {task_id}: it could not be enqueued after the commit" in caplog.text
    assert (get_snapshot(task_id).state, get_snapshot(task_id).owner) == ("queued", "8")
    cancel(task_id)


def test_start_fails_while_the_cache_is_away():
    with controlled_cache() as controls, transaction.atomic():
        controls.break_down()
        with pytest.raises(StoreUnavailable):
            start(jobs.add, 1)


def test_task_runs_though_the_cache_is_away_at_the_commit():
    with controlled_cache() as controls:
        with transaction.atomic():
            task_id = start(jobs.add, 1, owner=7)
            controls.break_down()
        controls.repair()
        ended = wait_for_end(task_id)
    assert (ended.state, ended.result, ended.owner) == ("succeeded", 2, "7")


# --- backends that choose the ids ---


@pytest.fixture
def sparse(settings) -> Iterator[Talk]:
    settings.TASKS = {**settings.TASKS, "sparse": {"BACKEND": SPARSE}}
    SparseBackend.talk = Talk()
    yield SparseBackend.talk
    SparseBackend.stored.clear()
    SparseBackend.complete.clear()


@pytest.mark.usefixtures("sparse")
def test_backend_that_chooses_the_id_enqueues_at_once():
    with transaction.atomic():
        assert is_known(start(jobs.add.using(backend="sparse"), 1))


@pytest.mark.usefixtures("sparse")
@pytest.mark.parametrize("in_transaction", [True, False])
def test_backend_that_chooses_the_id_is_named_where_it_is_to_wait(in_transaction):
    def start_it() -> None:
        with pytest.raises(ValueError, match=f"on_commit=True: the backend '{SPARSE}' can't wait for a commit"):
            start(jobs.add.using(backend="sparse"), 1, on_commit=True)

    if in_transaction:
        with transaction.atomic():
            start_it()
    else:
        start_it()


def test_backend_that_waits_by_itself_keeps_the_owner(sparse):
    sparse.waits_for_commit = True
    waiting = jobs.add.using(backend="sparse")
    with transaction.atomic():
        task_id = start(waiting, 1, owner=7)
        assert not is_known(task_id)
    assert get_snapshot(task_id).owner == "7"


def test_backend_that_tells_nothing_of_what_it_enqueues_is_shown_all_the_same(sparse):
    sparse.enqueues = False
    task_id = start(jobs.add.using(backend="sparse"), 1, owner=7)
    assert get_snapshot(task_id).owner == "7"


def test_owners_of_rolled_back_tasks_are_not_kept_without_end(sparse, monkeypatch):
    monkeypatch.setattr(enqueue, "MAX_UNTOLD", 3)
    sparse.waits_for_commit = True
    with transaction.atomic():
        for _ in range(5):
            start(jobs.add.using(backend="sparse"), 1, owner=7)
        transaction.set_rollback(True)
    assert len(enqueue._untold) == 3
    enqueue._untold.clear()
