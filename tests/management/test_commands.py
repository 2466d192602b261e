"""The commands about tasks, in this process."""

import json
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tasks_app import get_snapshot, start, task_run
from tasks_app.console import calls
from tasks_app.snapshot import Report, Snapshot
from tasks_app.store import get_store
from tasks_app.terminal import Interrupted
from tests.support import jobs
from tests.support.caches import HANGING_CACHES, gate
from tests.support.readme import find_block
from tests.support.viewers import put
from tests.support.waiting import wait_until

DOCUMENT = "docs/reference/commands.md"


def run(command: str, *arguments: str) -> list[str]:
    """Run a command, and return the lines that it prints."""
    output = StringIO()
    call_command(command, *arguments, stdout=output)
    return output.getvalue().splitlines()


def run_failing(command: str, *arguments: str) -> tuple[int, str, list[str]]:
    """Run a command that fails, and return its exit status, its error and the lines that it prints."""
    output = StringIO()
    with pytest.raises(CommandError) as failure:
        call_command(command, *arguments, stdout=output)
    return failure.value.returncode, str(failure.value), output.getvalue().splitlines()


def finish(task: Any, **kwargs: Any) -> str:
    """Start a task, and return its id once it has ended and is listed."""
    task_id = start(task, **kwargs)
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the task has ended")
    wait_until(lambda: task_id in get_store().find_recent(), "the task is listed")
    return task_id


# --- watch_task ---


def test_task_that_succeeded_is_shown_with_its_names_and_how_it_ended():
    task_id = finish(jobs.count, n=3, label="Count sheep")
    heading, last = run("watch_task", task_id)
    assert heading == f"Task {task_id}: Count sheep · tests.support.jobs.count"
    assert last.startswith("100%  Done · 3 steps in ")


def test_task_that_failed_is_an_error_with_exit_status_1():
    status, error, lines = run_failing("watch_task", finish(jobs.fail))
    assert (status, error) == (1, "The task ended as 'failed': Exception: The task failed.")
    assert lines[-1] == " 37%  Failed"


def test_several_tasks_are_summed_up():
    status, error, lines = run_failing("watch_task", finish(jobs.add, a=1), finish(jobs.fail), finish(jobs.fail))
    assert lines[-1] == "1 of 3 tasks succeeded."
    assert (status, error) == (1, "The task ended as 'failed': Exception: The task failed.")


def test_task_that_is_unknown_among_others_does_not_hide_how_they_ended():
    status, _, lines = run_failing("watch_task", "unknown", finish(jobs.fail), finish(jobs.add, a=1))
    assert (status, lines[-1]) == (3, "1 of 3 tasks succeeded.")


def test_json_is_what_a_client_of_the_site_gets():
    task_id = finish(jobs.add, a=1)
    (line,) = run("watch_task", "--json", task_id)
    assert json.loads(line)["result"] == 2
    assert json.loads(line) == json.loads(json.dumps(get_snapshot(task_id).to_wire()))


def test_quiet_command_prints_nothing():
    assert run("watch_task", "--quiet", finish(jobs.add, a=1)) == []


@pytest.mark.parametrize("command", ["watch_task", "cancel_task"])
def test_task_that_only_another_process_may_know_is_an_error_that_says_so(command: str):
    status, error, _ = run_failing(command, "unknown")
    assert status == 3
    assert error.startswith("No task 'unknown' is known. CACHES['default'] keeps tasks in the memory of the process")


def test_cache_that_does_not_answer_is_waited_for_a_limited_time(settings, monkeypatch: pytest.MonkeyPatch):
    settings.CACHES = HANGING_CACHES
    monkeypatch.setattr(calls, "CALL_TIMEOUT", 0.05)
    gate.shut("get_many")
    try:
        with pytest.raises(Interrupted) as failure:
            calls.call(get_snapshot, "any")
    finally:
        gate.open()
    assert failure.value.reason == "the cache has not answered within 0.05 s"


# --- list_tasks ---


def test_recent_tasks_are_listed_the_newest_first():
    first, second = finish(jobs.add, a=1), finish(jobs.fail)
    heading, *lines = run("list_tasks")
    assert heading.split() == ["TASK", "STATE", "DONE", "CREATED", "(UTC)", "NAME:", "STATUS"]
    assert [line.split()[:3] for line in lines] == [[second, "failed", "37%"], [first, "succeeded", "100%"]]
    assert lines[0].endswith("  tests.support.jobs.fail: Failed")


def test_list_and_heading_are_those_of_the_document():
    listing, heading, line, watching, name, _ = find_block("console", "list_tasks", document=DOCUMENT).splitlines()
    task_id = line.split()[0]
    now = datetime(2026, 3, 1, 9, 41, 2, tzinfo=UTC)
    snapshot = Snapshot.queued(task_id, "import", now=now, label="Import orders").begun(now=now)
    put(snapshot.reported(Report(current=42_310, total=100_000, status="Importing", unit="rows"), now=now))
    get_store().recent.add([snapshot])
    assert run(*listing.split()[3:]) == [heading, line]
    assert (watching.split()[3:], name) == (["watch_task", task_id], f"Task {task_id}: Import orders · import")


def test_columns_line_up_with_ids_of_any_length():
    with task_run("short", task_id="a"), task_run("long", task_id="b" * 40):
        wait_until(lambda: {"a", "b" * 40} <= set(get_store().find_recent()), "the tasks are listed")
        heading, *lines = run("list_tasks")
    assert {line.index("running") for line in lines} == {heading.index("STATE")}


def test_list_of_one_state_leaves_out_the_others():
    finish(jobs.add, a=1)
    failed = finish(jobs.fail)
    assert [json.loads(line)["task_id"] for line in run("list_tasks", "--json", "--state", "failed")] == [failed]


def test_list_without_tasks_says_so():
    finish(jobs.add, a=1)
    assert run("list_tasks", "--state", "failed") == ["No tasks."]
    assert run("list_tasks", "--state", "failed", "--json") == []


def test_list_has_at_most_its_limit():
    for _ in range(3):
        newest = finish(jobs.add, a=1)
    assert [json.loads(line)["task_id"] for line in run("list_tasks", "--json", "--limit", "1")] == [newest]


def test_no_task_in_the_memory_of_this_process_is_an_error():
    status, error, _ = run_failing("list_tasks")
    assert (status, error.partition(". ")[0]) == (3, "No task is known")


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1.5"])
def test_limit_that_is_none_is_refused(limit: str):
    with pytest.raises(CommandError, match=f"must be a whole number, 1 or more, not '{limit}'"):
        call_command("list_tasks", f"--limit={limit}")


# --- cancel_task ---


@pytest.mark.parametrize("is_json", [False, True])
def test_task_that_runs_is_asked_to_stop(is_json: bool):
    task_id = start(jobs.wait)
    (line,) = run("cancel_task", task_id, *(["--json"] if is_json else []))
    wait_until(lambda: get_snapshot(task_id).state == "cancelled", "the task is cancelled")
    expected = (
        f'{{"task_id":"{task_id}","cancel_requested":true}}' if is_json else f"Task {task_id} was asked to stop."
    )
    assert line == expected


def test_task_that_has_ended_is_an_error_and_the_next_one_is_asked_all_the_same():
    ended, running = finish(jobs.add, a=1), start(jobs.wait)
    status, error, lines = run_failing("cancel_task", ended, running)
    assert (status, error) == (1, f"Can't cancel: task {ended!r} has already ended: succeeded.")
    assert lines == [f"Task {running} was asked to stop."]


def test_settings_that_are_wrong_are_an_error_of_one_line(settings):
    settings.TASKS_APP = {"CASH": "default"}
    with pytest.raises(CommandError, match="TASKS_APP has an unknown key, 'CASH'"):
        call_command("list_tasks")
