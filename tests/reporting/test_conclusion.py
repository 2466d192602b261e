"""What a task that succeeded is said to have come to: its last words, and nothing that it said while it worked."""

from collections.abc import Callable

import pytest

from tasks_app.reporting.progress import Progress
from tests.support.doubles import begin


def loop(progress: Progress, count: int = 3, **values: object) -> None:
    for _ in progress.track(range(count), status="Scanning", unit="files"):
        progress.update(**values)


def scan(progress: Progress) -> None:
    loop(progress)


def say_in_the_loop(progress: Progress) -> None:
    loop(progress, status="Scanning c.txt")


def scan_nothing(progress: Progress) -> None:
    loop(progress, 0)


def say_without_steps(progress: Progress) -> None:
    progress.update(status="Sending")


def count_without_end(progress: Progress) -> None:
    progress.update(status="Scanning")
    progress.advance(3)


def say_with_a_count_without_end(progress: Progress) -> None:
    progress.update(current=2, status="Scanning b.txt")
    progress.update(current=3, status="Scanning c.txt")


def say_with_the_last_step(progress: Progress) -> None:
    progress.update(current=2, total=3, status="Scanning b.txt")
    progress.update(current=3, status="Scanning c.txt")


def say_with_a_step_after_all_stages(progress: Progress) -> None:
    end_in_a_stage(progress)
    progress.update(current=1, total=1, status="Writing")


def stop_short(progress: Progress) -> None:
    progress.update(current=1, total=3, status="Scanning a.txt")


def end_in_a_stage(progress: Progress) -> None:
    progress.stages({"Scan": 1, "Write": 1})
    with progress.stage("Scan"):
        progress.update(status="Scanning")
    with progress.stage("Write"):
        progress.update(status="Writing")


def leave_a_stage_out(progress: Progress) -> None:
    progress.stages({"Scan": 1, "Write": 1})
    with progress.stage("Scan"):
        loop(progress)
    progress.update(status="Nothing to write")


@pytest.mark.parametrize(
    "work",
    [
        scan,
        say_in_the_loop,
        scan_nothing,
        say_without_steps,
        count_without_end,
        say_with_a_count_without_end,
        say_with_the_last_step,
        say_with_a_step_after_all_stages,
        stop_short,
        end_in_a_stage,
        leave_a_stage_out,
    ],
)
def test_what_it_said_while_it_worked_is_no_conclusion(flusher, work: Callable[[Progress], None]):
    job = begin(flusher)
    work(job.progress)
    job.succeed()
    assert job.snapshot.conclusion is None


def say_after_the_loop(progress: Progress) -> None:
    loop(progress)
    progress.update(status="The end")


def say_after_an_empty_loop(progress: Progress) -> None:
    loop(progress, 0)
    progress.update(status="The end")


def say_after_a_count_to_its_end(progress: Progress) -> None:
    progress.update(current=3, total=3, status="Scanning c.txt")
    progress.update(status="The end")


def say_after_a_count(progress: Progress) -> None:
    progress.advance(3)
    progress.update(status="The end")


def say_after_all_stages(progress: Progress) -> None:
    end_in_a_stage(progress)
    progress.update(status="The end")


@pytest.mark.parametrize(
    "work",
    [
        say_after_the_loop,
        say_after_an_empty_loop,
        say_after_a_count_to_its_end,
        say_after_a_count,
        say_after_all_stages,
    ],
)
def test_what_it_said_after_the_last_step_is_its_conclusion(flusher, work: Callable[[Progress], None]):
    job = begin(flusher)
    work(job.progress)
    job.succeed()
    assert job.snapshot.to_wire()["conclusion"] == "The end"


def test_message_of_the_result_is_the_conclusion(flusher):
    job = begin(flusher)
    say_after_the_loop(job.progress)
    job.succeed({"message": "3 files are new", "url": "/files"})
    assert job.snapshot.conclusion == "3 files are new"


@pytest.mark.parametrize("result", [{"message": 3}, {"message": " "}, {"message": None}, "message", ["message"]])
def test_result_without_a_message_for_people_is_none(flusher, result):
    job = begin(flusher)
    job.succeed(result)
    assert job.snapshot.conclusion is None


def test_long_conclusion_is_cut_as_a_status_is(flusher):
    job = begin(flusher)
    job.succeed({"message": "x" * 600})
    assert job.snapshot.conclusion == "x" * 500


def test_job_that_fails_has_no_conclusion(flusher):
    job = begin(flusher)
    say_after_the_loop(job.progress)
    job.fail(ValueError("no"))
    assert job.snapshot.conclusion is None


def test_new_attempt_has_no_conclusion_of_the_one_before(flusher):
    job = begin(flusher)
    say_after_the_loop(job.progress)
    job.begin()
    job.succeed()
    assert job.snapshot.conclusion is None
