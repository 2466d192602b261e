"""What the scripts say of a snapshot."""

from typing import Any

import pytest
from common.texts import (
    describe,
    describe_count,
    describe_facts,
    describe_name,
    describe_rate,
    describe_usual,
    format_bytes,
    format_duration,
)

SUCCEEDED = {"state": "succeeded", "status": "Scanning", "current": 1284, "total": None, "unit": "files"}
TIMES = {"started_at": "2026-03-01T09:41:02.000Z", "finished_at": "2026-03-01T09:42:03.500Z"}
FAILED = {"state": "failed", "status": "Importing"}


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        (SUCCEEDED | TIMES, "Done · 1,284 files in 1:02"),
        (SUCCEEDED | TIMES | {"total": 1284}, "Done · 1,284 files in 1:02"),
        (SUCCEEDED | TIMES | {"conclusion": None}, "Done · 1,284 files in 1:02"),
        (SUCCEEDED | TIMES | {"conclusion": "1 bad\nrow"}, "1 bad row"),
        (SUCCEEDED | TIMES | {"unit": None}, "Done in 1:02"),
        (SUCCEEDED | TIMES | {"current": None}, "Done in 1:02"),
        (SUCCEEDED | {"started_at": None}, "Done · 1,284 files"),
        (SUCCEEDED | {"unit": None}, "Done"),
        (SUCCEEDED | TIMES | {"finished_at": "2026-03-01T09:41:02.008Z"}, "Done · 1,284 files in less than 1 s"),
        (FAILED | {"error": {"type": "OSError", "message": "disk full"}}, "Failed: disk full"),
        (FAILED | {"error": {"type": "OSError", "message": "The task failed."}}, "Failed: Importing"),
        (FAILED | {"status": "Failed"}, "Failed"),
        (FAILED | {"status": "Failed: disk full", "error": None}, "Failed: disk full"),
        ({"state": "cancelled", "status": "Importing"}, "Cancelled"),
        ({"state": "lost", "status": "Importing"}, "Lost: the worker stopped responding"),
        ({"state": "running", "status": "Importing"}, "Importing"),
        ({"state": "running", "status": "Importing", "stalled": True}, "No sign of life; last: Importing"),
        ({"state": "queued", "status": "Queued"}, "Queued"),
    ],
)
def test_sentence(snapshot: dict[str, object], expected: str):
    assert describe(snapshot) == expected


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        ({"label": "Import orders", "task": "import"}, "Import orders · import"),
        ({"label": None, "task": "import"}, "import"),
        ({"task": "import"}, "import"),
        ({}, ""),
    ],
)
def test_label_stands_before_the_name(snapshot: dict[str, object], expected: str):
    assert describe_name(snapshot) == expected


@pytest.mark.parametrize(
    ("current", "total", "unit", "expected"),
    [
        (None, 10, "rows", ""),
        (0, 100_000, "rows", "0 / 100,000 rows"),
        (1, None, "rows", "1 row"),
        (1, None, "boxes", "1 boxes"),
        (2.5, 3, None, "2.5 / 3"),
        (4_200_000, 10**9, "bytes", "4.2 MB / 1 GB"),
    ],
)
def test_count(current: float | None, total: float | None, unit: str | None, expected: str):
    assert describe_count({"current": current, "total": total, "unit": unit}) == expected


@pytest.mark.parametrize(
    ("rate", "unit", "expected"),
    [
        (None, "rows", ""),
        (5.0, None, ""),
        (13_600.4, "rows", "13,600 rows/s"),
        (2.54, "rows", "2.5 rows/s"),
        (0.05, "rows", "3 rows/min"),
        (0.001, "rows", "3.6 rows/h"),
        (0.0, "rows", "0 rows/s"),
        (4.2e6, "bytes", "4.2 MB/s"),
    ],
)
def test_rate(rate: float | None, unit: str | None, expected: str):
    assert describe_rate({"rate": rate, "unit": unit}) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0:00"), (4.2, "0:05"), (59.5, "1:00"), (3599, "59:59"), (3600, "1 h 0 min"), (90 * 3600, "3 d 18 h")],
)
def test_duration(seconds: float, expected: str):
    assert format_duration(seconds) == expected


@pytest.mark.parametrize(("value", "expected"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1e21, "1,000 EB")])
def test_bytes(value: float, expected: str):
    assert format_bytes(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(1, "1 s"), (59.9, "59 s"), (60, "1 min"), (236, "4 min"), (3599, "1 h 0 min"), (7260, "2 h 1 min")],
)
def test_usual_time_is_told_roughly(seconds: float, expected: str):
    assert describe_usual({"state": "queued", "expected": seconds}) == f"usually {expected}"


@pytest.mark.parametrize(
    ("snapshot", "usual"),
    [
        ({"state": "queued"}, ""),
        ({"state": "queued", "expected": None}, ""),
        ({"state": "queued", "expected": 0.4}, ""),
        ({"state": "running", "percent": None, "expected": 236.0}, "usually 4 min"),
        ({"state": "running", "percent": 4.0, "expected": 236.0}, ""),
        ({"state": "succeeded", "percent": 100.0, "expected": 236.0}, ""),
    ],
)
def test_usual_time_is_told_of_tasks_that_count_towards_no_total(snapshot: dict[str, Any], usual: str):
    assert describe_usual(snapshot) == usual


def test_usual_time_stands_where_the_time_left_would():
    scan = {"state": "running", "percent": None, "expected": 236.0, "eta": 229.0, "current": 1284, "unit": "files"}
    assert describe_facts(scan) == ["1,284 files", "", "usually 4 min"]
