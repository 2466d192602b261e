"""The threads and the event loop that run jobs."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from weakref import ref

import pytest

from tasks_app.utils import threads as pool_module
from tasks_app.utils.threads import LoopThread, ThreadPool
from tests.support.waiting import wait_until

variable: ContextVar[str] = ContextVar("variable", default="unset")


class Gate:
    """Jobs that wait until the test lets them go."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.opened = threading.Event()
        self.done: list[str] = []
        self.running = 0
        self.most = 0

    def job(self, name: str):
        def run() -> None:
            with self.lock:
                self.running += 1
                self.most = max(self.most, self.running)
            self.opened.wait(10)
            with self.lock:
                self.running -= 1
                self.done.append(name)

        return run


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


@pytest.fixture(autouse=True)
def _no_threads_left(monkeypatch) -> Iterator[None]:
    """Threads that are idle must end by themselves."""
    monkeypatch.setattr(pool_module, "IDLE_SECONDS", 0.05)
    before = set(threading.enumerate())
    yield
    wait_until(lambda: not set(threading.enumerate()) - before, "the threads of the pool ended")


@pytest.fixture
def loop_thread() -> Iterator[LoopThread]:
    loop_thread = LoopThread("test-loop")
    before = set(threading.enumerate())
    yield loop_thread
    for thread in set(threading.enumerate()) - before:
        loop_thread.loop.call_soon_threadsafe(loop_thread.loop.stop)
        thread.join(10)
        loop_thread.loop.close()


# --- threads ---


def test_job_is_run():
    ran = threading.Event()
    ThreadPool(2, "test").submit("a", ran.set)
    assert ran.wait(10)


def test_job_runs_in_a_named_daemon_thread():
    seen = []
    ThreadPool(1, "test").submit("a", lambda: seen.append(threading.current_thread()))
    wait_until(lambda: seen, "the job ran")
    assert seen[0].daemon
    assert seen[0].name.startswith("test-")


def test_no_more_than_max_workers_run_at_once(gate):
    pool = ThreadPool(3, "test")
    for number in range(10):
        pool.submit(str(number), gate.job(str(number)))
    wait_until(lambda: gate.running == 3, "three jobs run")
    assert len(pool.get_line()) == 7
    gate.opened.set()
    wait_until(lambda: len(gate.done) == 10, "all jobs ran")
    assert gate.most == 3


def test_no_more_threads_than_jobs(gate):
    before = threading.active_count()
    pool = ThreadPool(8, "test")
    for number in range(2):
        pool.submit(str(number), gate.job(str(number)))
    wait_until(lambda: gate.running == 2, "both jobs run")
    assert threading.active_count() - before == 2


def test_idle_thread_is_used_again(monkeypatch):
    monkeypatch.setattr(pool_module, "IDLE_SECONDS", 1)
    pool, seen = ThreadPool(8, "test"), []
    for count in range(1, 21):
        pool.submit("a", lambda: seen.append(threading.current_thread()))
        wait_until(lambda count=count: len(seen) == count, "the job ran")
    assert len(set(seen)) <= 4, "a thread that has just run a job may not wait for the next one yet"


def test_jobs_wait_in_order(gate):
    pool = ThreadPool(1, "test")
    for name in "abcd":
        pool.submit(name, gate.job(name))
    gate.opened.set()
    wait_until(lambda: len(gate.done) == 4, "all jobs ran")
    assert gate.done == ["a", "b", "c", "d"]


def test_higher_priority_goes_first(gate):
    pool = ThreadPool(1, "test")
    pool.submit("first", gate.job("first"))
    wait_until(lambda: gate.running == 1, "the only thread is busy")
    for name, priority in (("low", -5), ("old", 0), ("high", 5), ("new", 0)):
        pool.submit(name, gate.job(name), priority=priority)
    assert pool.get_line() == ["high", "old", "new", "low"]
    gate.opened.set()
    wait_until(lambda: len(gate.done) == 5, "all jobs ran")
    assert gate.done == ["first", "high", "old", "new", "low"]


def test_withdrawn_job_is_not_run(gate):
    pool = ThreadPool(1, "test")
    pool.submit("first", gate.job("first"))
    wait_until(lambda: gate.running == 1, "the only thread is busy")
    for name in "abc":
        pool.submit(name, gate.job(name))
    assert pool.withdraw("b")
    assert pool.get_line() == ["a", "c"]
    gate.opened.set()
    wait_until(lambda: len(gate.done) == 3, "the others ran")
    assert gate.done == ["first", "a", "c"]


def test_job_that_runs_can_not_be_withdrawn(gate):
    pool = ThreadPool(1, "test")
    pool.submit("a", gate.job("a"))
    wait_until(lambda: gate.running == 1, "the job runs")
    assert not pool.withdraw("a")


def test_unknown_job_can_not_be_withdrawn():
    assert not ThreadPool(1, "test").withdraw("unknown")


def test_withdrawing_everything_leaves_the_pool_usable(gate):
    pool = ThreadPool(2, "test")
    for name in "abcd":
        pool.submit(name, gate.job(name))
    wait_until(lambda: gate.running == 2, "two jobs run")
    assert pool.withdraw("c")
    assert pool.withdraw("d")
    gate.opened.set()
    wait_until(lambda: len(gate.done) == 2, "the two ended")
    pool.submit("e", gate.job("e"))
    wait_until(lambda: "e" in gate.done, "the next job ran")


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_job_that_raises_is_logged_and_its_thread_goes_on(caplog, error):
    def fail() -> None:
        raise error("no")

    ran = threading.Event()
    pool = ThreadPool(1, "test")
    pool.submit("broken", fail)
    pool.submit("next", ran.set)
    assert ran.wait(10)
    (record,) = caplog.records
    assert (record.levelno, record.exc_info[0]) == (logging.ERROR, error)
    assert "broken" in record.getMessage()


def test_every_job_has_a_fresh_context():
    seen = []

    def run() -> None:
        seen.append(variable.get())
        variable.set("of a job before")

    variable.set("of the request")
    pool = ThreadPool(1, "test")
    pool.submit("a", run)
    pool.submit("b", run)
    wait_until(lambda: len(seen) == 2, "both jobs ran")
    assert seen == ["unset", "unset"]


def test_many_jobs_from_many_threads_all_run():
    pool, done = ThreadPool(4, "test"), []

    def submit() -> None:
        for _ in range(100):
            pool.submit("a", lambda: done.append(1))

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: len(done) == 800, "all jobs ran")


# --- the event loop ---


def test_loop_begins_when_it_is_first_used(loop_thread):
    assert "test-loop" not in [thread.name for thread in threading.enumerate()]
    assert loop_thread.loop is loop_thread.loop
    assert [thread.name for thread in threading.enumerate()].count("test-loop") == 1


def test_coroutine_is_run_to_its_end(loop_thread):
    ended = threading.Event()

    async def work() -> None:
        await asyncio.sleep(0)
        ended.set()

    coroutine = work()
    is_held = ref(coroutine)
    loop_thread.run(coroutine)
    del coroutine
    assert ended.wait(10)
    wait_until(lambda: is_held() is None, "the coroutine was let go")


def test_every_coroutine_has_a_fresh_context(loop_thread):
    seen = []

    async def work() -> None:
        seen.append(variable.get())
        variable.set("of a coroutine before")

    variable.set("of the request")
    loop_thread.run(work())
    loop_thread.run(work())
    wait_until(lambda: len(seen) == 2, "both ran")
    assert seen == ["unset", "unset"]


def test_coroutine_that_raises_does_not_end_the_loop(loop_thread):
    ended = threading.Event()
    told = []

    async def fail() -> None:
        raise ValueError("no")

    async def work() -> None:
        ended.set()

    loop_thread.loop.set_exception_handler(lambda loop, context: told.append(context["exception"]))
    loop_thread.run(fail())
    loop_thread.run(work())
    assert ended.wait(10)


def test_function_is_called_later_in_the_loop(loop_thread):
    seen = []
    loop_thread.call_later(0.01, lambda: seen.append(threading.current_thread().name))
    wait_until(lambda: seen, "it was called")
    assert seen == ["test-loop"]
