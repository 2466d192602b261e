"""What a job reports with, which is made at its first use."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

from tasks_app.reporting.job import Job
from tasks_app.snapshot import Snapshot
from tests.support.doubles import FakeTime
from tests.support.waiting import DEADLINE

THREADS = 8


def make_job(time: FakeTime, *, logged: int = 0) -> Job:
    snapshot = Snapshot.queued("t1", "demo", now=time.now, logged=logged)
    return Job(snapshot, time.clock, wake=lambda: None)


def test_threads_that_use_progress_first_at_the_same_moment_have_one_log(time: FakeTime):
    job, ready = make_job(time), Barrier(THREADS)

    def log(number: int) -> None:
        ready.wait()
        job.progress.log(f"line {number}")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(log, range(THREADS)))
    assert job.absorb(is_last=True) == THREADS


def test_job_that_has_logged_nothing_keeps_the_offset_of_the_attempt_before(time: FakeTime):
    job = make_job(time, logged=7)
    assert (job.absorb(is_last=True), dict(job.pages), job.is_sampled) == (7, {}, False)


def test_log_goes_on_after_what_the_store_was_found_to_hold(time: FakeTime):
    job = make_job(time)
    job.follow(300)
    job.progress.log("next")
    assert job.absorb(is_last=True) > 300


def test_log_that_is_made_while_the_store_is_read_goes_on_after_what_it_holds(time: FakeTime):
    job, waits = make_job(time), Event()
    lock = job.draft.lock

    class TellingLock:
        def __enter__(self) -> None:
            waits.set()
            lock.acquire()

        def __exit__(self, *error: object) -> None:
            lock.release()

    job.draft.lock = TellingLock()  # type: ignore[assignment]
    with ThreadPoolExecutor(1) as pool:
        with lock:
            logged = pool.submit(lambda: job.progress.log("next"))
            assert waits.wait(DEADLINE)
            job.follow(300)
        logged.result()
    assert job.absorb(is_last=True) > 300


def test_pages_are_forgotten_once_they_are_stored(time: FakeTime):
    job = make_job(time)
    job.progress.log("one")
    job.absorb(is_last=True)
    assert job.pages
    job.mark_stored()
    assert not job.pages
