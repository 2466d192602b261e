"""What the snapshots of a task that was watched say of why its bar stands still."""

from typing import Any

import pytest

from tasks_app.doctor.standstill import judge_task


def make(**values: Any) -> dict[str, Any]:
    return {"state": "running", "status": "Running", "current": 0, "total": 60, **values}


@pytest.mark.parametrize(
    ("snapshots", "found"),
    [
        ([], {}),
        ([make(), {}, make(seq=7)], {"task-says-nothing": "note"}),
        ([make(), make(current=1)], {}),
        ([make(state="queued")], {"task-waits": "note"}),
        ([make(state="queued"), make()], {}),
        ([make(), make(state="succeeded")], {"task-ended": "note"}),
        ([make(state="failed")], {"task-ended": "unknown"}),
    ],
)
def test_snapshots_are_judged(snapshots, found):
    assert {item.id: item.level for item in judge_task(snapshots, 26.0, is_sound=True)} == found


@pytest.mark.parametrize(("seconds", "is_sound"), [(1.0, True), (26.0, False)])
def test_nothing_is_said_of_the_job_after_a_moment_or_where_its_stream_is_at_fault(seconds, is_sound):
    assert list(judge_task([make()], seconds, is_sound=is_sound)) == []


@pytest.mark.parametrize(("values", "said"), [({}, "running, 0 of 60"), ({"total": None}, "running, without a total")])
def test_job_that_says_nothing_is_told_of_with_its_count(values, said):
    (finding,) = judge_task([make(**values)], 26.0, is_sound=True)
    assert (f"In 26 s the task ({said})" in finding.what, "progress.map()" in finding.cure) == (True, True)
