"""Nothing that a job calls waits for a cache that hangs; what could not be asked then is asked when it is back."""

import asyncio
import math
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings

from tasks_app import get_snapshot, start
from tasks_app.contrib.celery import running
from tasks_app.exceptions import StoreUnavailable
from tasks_app.lifecycle import attempts, compat
from tasks_app.lifecycle.attempts import begin
from tasks_app.lifecycle.receivers import on_row_saved
from tasks_app.reporting.backlog import Backlog
from tasks_app.reporting.process import EXIT_SECONDS, drain_process, get_flusher
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store import store
from tasks_app.store.latency import LATE_AFTER, _is_late
from tasks_app.store.store import get_store
from tasks_app.store.words import Words, find_words
from tasks_app.streaming.polling import aobserve
from tests.support import caches, jobs
from tests.support.caches import HANGING_CACHES, Gate
from tests.support.doubles import read
from tests.support.servers import run_command
from tests.support.valkey import ValkeyServer
from tests.support.viewers import NOW, until
from tests.support.waiting import DEADLINE, wait_until

#: Far from how long the cache lets whoever asks it wait.
SOON = 5.0

IMMEDIATE = f"{compat.Task.__module__.removesuffix('.base')}.backends.immediate.ImmediateBackend"

SHORT_LIVED = """
import django
django.setup()
from tasks_app import task_run
with task_run("short"):
    pass
print("ended", flush=True)
"""


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Shut, it has the cache hang."""
    with override_settings(CACHES=HANGING_CACHES):
        get_store().cache.clear()
        yield caches.gate
        caches.gate.open()
        settle()


def settle() -> None:
    """Leave nothing to the flusher that it would write into the cache of the next test."""
    flusher = get_flusher()
    assert flusher.drain(DEADLINE)
    wait_until(lambda: not flusher.backlog.new_tasks, "new tasks were listed")
    flusher.backlog = Backlog()


def make_anew(task_id: str = "t1") -> Snapshot:
    """Return the task as it is known without the cache."""
    return Snapshot.queued(task_id, "shop.tasks.work", now=NOW)


def add_queued() -> Snapshot:
    snapshot = Snapshot.queued("t1", "import", now=NOW, owner="7")
    get_store().add(snapshot)
    return snapshot


def soon(function: Callable[..., Any], *args: Any) -> Any:
    """Return what the function returns, which it must do while the cache still hangs."""
    began = monotonic()
    value = function(*args)
    assert monotonic() - began < SOON
    return value


def end(reporter: Any) -> Snapshot:
    """End a task, and return what is stored of it then."""
    reporter.succeed()
    assert get_flusher().drain(DEADLINE)
    return read()


def is_written(task_id: str = "t1") -> bool:
    return get_store().get(task_id) is not None


def has_ended(task: Any, task_id: str) -> bool:
    """Return whether a task of this process has ended, whatever viewers know."""
    return task.get_result(task_id).is_finished


def store_behind_the_gate(snapshot: Snapshot) -> None:
    """Store a snapshot as another process does, for which the cache does not hang."""
    cache = LocMemCache("", HANGING_CACHES["default"])
    cache.set(f"tasks_app:task:{snapshot.task_id}", snapshot.to_json(), None)


# --- a task begins ---


def test_task_begins_while_the_cache_hangs_and_goes_on_from_what_is_stored(gate):
    queued = add_queued()
    gate.shut()
    reporter = soon(begin, make_anew())
    gate.open()
    snapshot = end(reporter)
    assert (snapshot.task, snapshot.owner, snapshot.attempt) == ("import", "7", 1)
    assert snapshot.seq > queued.seq


def test_second_task_does_not_even_ask_a_cache_that_hangs(gate, monkeypatch):
    gate.shut()
    first = soon(begin, make_anew())
    asked: list[Any] = []
    monkeypatch.setattr(get_store(), "call_briefly", lambda *args: asked.append(args))
    second = soon(begin, make_anew("t2"))
    monkeypatch.undo()
    gate.open()
    assert asked == []
    end(first)
    assert end(second) is not None


def test_cache_is_known_to_hang_as_soon_as_one_caller_has_given_up(gate, monkeypatch):
    monkeypatch.setattr(store, "LATE_AFTER", 0.1)  # so that the call has not been under way for as long as is late
    gate.shut()
    with pytest.raises(StoreUnavailable, match="has not answered within"):
        get_store().call_briefly(get_store().get, "t1")
    assert get_store().hangs


def test_first_attempt_has_no_word_to_leave(gate, monkeypatch):
    add_queued()
    asked: list[Any] = []
    ask = get_store().call_briefly
    monkeypatch.setattr(get_store(), "call_briefly", lambda *args: (asked.append(args[0]), ask(*args))[1])
    end(begin(make_anew()))
    assert asked == [get_store().load]


def test_task_begins_while_the_flusher_hangs_in_a_write_that_has_not_failed_yet(gate):
    first = begin(make_anew())
    wait_until(lambda: get_store().find_recent(), "the first one was written, and listed")
    gate.shut("set_many")  # else the flusher may hang in a read
    first.progress.update(current=1)
    wait_until(lambda: gate.waiting, "the flusher writes")
    gate.shut()
    second = soon(begin, make_anew("t2"))
    gate.open()
    end(first)
    assert end(second) is not None


def test_next_attempt_in_the_same_process_begins_while_the_cache_hangs(gate):
    first = begin(make_anew())
    wait_until(is_written, "the first one was written")
    first.hand_back()
    assert get_flusher().drain(DEADLINE)
    gate.shut()
    second = soon(begin, make_anew(), first)
    gate.open()
    assert end(second).attempt == 2


def test_celery_task_does_not_wait_until_its_beginning_is_stored_to_look_for_a_cancel(gate):
    reporter = begin(make_anew())
    gate.shut()
    reporter.progress.update(current=1)
    soon(running._heed_cancel, reporter)
    gate.open()
    end(reporter)


def test_celery_task_does_not_wait_to_learn_whether_it_was_cancelled(gate, monkeypatch):
    reporter = begin(make_anew())
    wait_until(is_written, "it was written")
    monkeypatch.setattr(attempts, "write", lambda reporter: True)
    gate.shut()
    soon(running._heed_cancel, reporter)
    assert not reporter.has_ended
    gate.open()
    end(reporter)


def test_task_that_was_cancelled_before_it_began_hears_of_it_when_the_cache_is_back(gate, monkeypatch):
    add_queued()
    get_store().request_cancel("t1")
    gate.shut()
    no_words = Words(set(), {}, {})  # as if no sweep were soon
    monkeypatch.setattr("tasks_app.reporting.flusher.find_words", lambda task_ids: no_words)
    reporter = soon(begin, make_anew())
    assert not reporter.progress.cancelled
    gate.open()
    wait_until(lambda: reporter.progress.cancelled, "it was asked to stop")
    reporter.end_cancelled()


def test_second_delivery_leaves_word_for_the_first_when_the_cache_is_back(gate):
    begin(add_queued()).end_lost()
    assert get_flusher().drain(DEADLINE)
    gate.shut()
    reporter = soon(begin, make_anew())
    gate.open()
    assert end(reporter).attempt == 2
    assert find_words(["t1"]).attempts == {"t1": 2}


def test_word_that_can_not_be_left_when_the_cache_is_back_is_left_at_the_next_try(gate, monkeypatch):
    begin(add_queued()).end_lost()
    assert get_flusher().drain(DEADLINE)
    gate.shut()
    reporter = soon(begin, make_anew())
    claim, calls = get_store().claim_attempt, []

    def claim_at_last(task_id: str, attempt: int) -> None:
        calls.append(attempt)
        if len(calls) == 1:
            raise ConnectionError
        claim(task_id, attempt)

    monkeypatch.setattr(get_store(), "claim_attempt", claim_at_last)
    gate.open()
    assert end(reporter).attempt == 2
    assert calls == [2, 2]
    assert find_words(["t1"]).attempts == {"t1": 2}


def test_task_of_which_nothing_is_stored_is_listed_when_the_cache_is_back(gate):
    gate.shut()
    reporter = soon(begin, make_anew("new"))
    gate.open()
    wait_until(lambda: "new" in get_store().find_recent(), "it is listed")
    end(reporter)


# --- a task is handed back ---


def test_job_is_handed_back_while_the_cache_hangs_and_that_is_stored_later(gate):
    reporter = begin(make_anew())
    wait_until(is_written, "it was written")
    gate.shut()
    assert not soon(attempts.pass_on, reporter)
    gate.open()
    assert get_flusher().drain(DEADLINE)
    assert read().state == "queued"


def test_attempt_that_was_handed_back_unread_does_not_write_over_the_next_one_elsewhere(gate):
    gate.shut()
    attempts.pass_on(soon(begin, make_anew()))
    next_one = make_anew().begun(now=NOW).requeued(now=NOW).begun(now=NOW)
    store_behind_the_gate(next_one)
    gate.open()
    assert get_flusher().drain(DEADLINE)
    assert read() == next_one
    assert find_words(["t1"]).attempts == {}


def test_attempt_that_is_read_late_does_not_write_over_the_next_one_here(gate):
    gate.shut()
    first = soon(begin, make_anew())
    attempts.pass_on(first)
    wait_until(lambda: gate.waiting.count("get_many") == 2, "the flusher reads")
    second = soon(begin, make_anew(), first)
    gate.open()
    assert end(second).attempt == 2


# --- the process ends ---


def test_end_of_the_process_is_not_kept_up_for_ever(gate):
    gate.shut()
    soon(begin, make_anew()).succeed()
    assert not soon(get_flusher().drain, 0.1)


def test_end_of_the_process_waits_in_vain_only_once(gate, monkeypatch):
    monkeypatch.setattr(get_flusher(), "skip_drain_until", -math.inf)
    gate.shut()
    soon(begin, make_anew()).succeed()
    drain_process(0.1)
    soon(drain_process, 3 * SOON)
    gate.open()


# --- a task is enqueued ---


def test_task_that_somebody_starts_waits_for_its_first_snapshot(gate):
    gate.shut()
    with ThreadPoolExecutor(1) as caller:
        started = caller.submit(start, jobs.add, 1)
        wait_until(lambda: get_store().hangs, "its snapshot is being stored")
        assert not started.done()
        gate.open()
        task_id = started.result(DEADLINE)
    wait_until(lambda: get_snapshot(task_id).result == 2, "it ran")


def test_task_that_nobody_starts_is_enqueued_and_runs_while_the_cache_hangs(gate):
    gate.shut()
    result = soon(jobs.add.enqueue, 1)
    wait_until(lambda: has_ended(jobs.add, result.id), "it ran", deadline=SOON)
    gate.open()
    wait_until(lambda: is_written(result.id), "it is known")
    assert get_snapshot(result.id).result == 2


def test_task_that_nobody_starts_is_listed_when_the_cache_is_back(gate):
    gate.shut()
    soon(jobs.add.enqueue, 1)
    result = jobs.add.enqueue(2)  # the cache is not even asked
    gate.open()
    wait_until(lambda: result.id in get_store().find_recent(), "it is listed")
    wait_until(lambda: is_written(result.id), "it is known")


def test_task_of_the_immediate_backend_runs_while_the_cache_hangs(gate):
    tasks = {"default": {"BACKEND": IMMEDIATE}}
    gate.shut()
    with override_settings(TASKS=tasks):
        result = soon(jobs.add.enqueue, 1)
    assert result.is_finished
    gate.open()
    wait_until(lambda: is_written(result.id), "it is known")
    assert get_snapshot(result.id).result == 2


# --- a task can't begin ---


def save_failed_row() -> None:
    """Do what a `db_worker` does with a task that it can't import."""
    on_row_saved(
        instance=SimpleNamespace(
            pk="t1",
            status=compat.TaskResultStatus.FAILED,
            task_path="shop.tasks.gone",
            exception_class_path="builtins.ImportError",
            traceback="ImportError: gone\n",
        )
    )


def test_failure_of_a_task_that_can_not_begin_is_told_when_the_cache_is_back(gate):
    queued = add_queued()
    gate.shut()
    soon(save_failed_row)
    gate.open()
    assert get_flusher().drain(DEADLINE)
    ended = read()
    assert (ended.state, ended.error["type"], ended.attempt) == ("failed", "Exception", 0)
    assert (ended.task, ended.owner, ended.seq > queued.seq) == ("import", "7", True)


def test_failure_of_a_task_that_runs_elsewhere_is_not_told_when_the_cache_is_back(gate):
    running = add_queued().begun(now=NOW)
    get_store().save([running])
    gate.shut()
    soon(save_failed_row)
    gate.open()
    assert get_flusher().drain(DEADLINE)
    assert read() == running


# --- somebody asks for a task ---


async def test_who_asks_does_not_wait_for_all_who_have_asked_before(gate):
    """There are four threads for them; each of those before may wait for as long as the client of the cache does."""
    add_queued()
    latency = get_store()._latency
    gate.shut()
    first = [asyncio.create_task(aobserve("t1")) for _ in range(4)]
    await until(lambda: gate.waiting == ["get_many"] * 4, "they wait for the cache")
    last = asyncio.create_task(aobserve("t1"))
    await until(lambda: all(_is_late(began, monotonic()) for began in latency._under_way.values()), "all are late")
    asked_at = monotonic()
    await until(lambda: monotonic() - asked_at > LATE_AFTER, "the last one has waited, too")
    gate.open()
    assert [snapshot.task for snapshot in await asyncio.gather(*first)] == ["import"] * 4
    with pytest.raises(StoreUnavailable):
        await last


# --- with real parts ---


@pytest.mark.parametrize("timeout", [5, None])
def test_tasks_in_this_process_do_not_wait_for_a_valkey_server_that_hangs(timeout):
    backend = "django.core.cache.backends.redis.RedisCache"
    with ValkeyServer() as server:
        cache = {"BACKEND": backend, "LOCATION": server.connection_url, "OPTIONS": {"socket_timeout": timeout}}
        with override_settings(CACHES={"default": cache}):
            running = start(jobs.wait)
            wait_until(lambda: get_snapshot(running).status == "Waiting", "it runs")
            server.halt()
            results = [soon(jobs.count.enqueue) for _ in range(5)]
            jobs.gate.set()
            wait_until(lambda: has_ended(jobs.wait, running), "the one that ran has ended", deadline=SOON)
            for result in results:
                wait_until(lambda id=result.id: has_ended(jobs.count, id), "it ran", deadline=SOON)
            server.resume()
            assert get_flusher().drain(DEADLINE)
            assert get_snapshot(running).result == "done"
            assert [get_snapshot(result.id).result for result in results] == [{"counted": 3}] * 5
            settle()


def test_process_that_ends_waits_some_seconds_for_a_cache_that_hangs_for_ever():
    with ValkeyServer() as server:
        env = {
            "DJANGO_SETTINGS_MODULE": "tests.support.shared_settings",
            "VALKEY_URL": server.connection_url,
            "CACHE_OPTIONS": '{"socket_timeout": null}',
        }
        server.halt()
        with run_command([sys.executable, "-c", SHORT_LIVED], env=env) as process:
            wait_until(lambda: process.output, "its task ended")
            began = monotonic()
            assert process.process.wait(DEADLINE) == 0
            assert monotonic() - began < EXIT_SECONDS + SOON
        server.resume()
