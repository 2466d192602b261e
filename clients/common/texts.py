"""The texts about a task. Times come from the server alone: the clock of this machine may be wrong."""

import re
from datetime import datetime
from math import ceil, floor
from typing import Any

Snapshot = dict[str, Any]

#: A line of a log: its time `t`, its `level` and its `text`.
LogLine = dict[str, str]

#: The states in which a task stays.
TERMINAL = {"succeeded", "failed", "cancelled", "lost"}

BYTES = ("B", "kB", "MB", "GB", "TB", "PB", "EB")

#: The seconds that a rate counts, and how it is written.
PERIODS = ((1, "s"), (60, "min"), (3600, "h"))

#: What the server says of a failure that it does not explain.
GENERIC_ERROR = "The task failed."


def has_ended(snapshot: Snapshot) -> bool:
    """Return whether this is the last snapshot of a task."""
    return snapshot.get("state") in TERMINAL


def is_open_ended(snapshot: Snapshot) -> bool:
    """Return whether a task runs towards a total that is unknown."""
    return snapshot.get("state") == "running" and snapshot.get("percent", 0) is None


def describe_name(snapshot: Snapshot) -> str:
    """Return what people call a task, then its own name."""
    return to_line(" · ".join(filter(None, (snapshot.get("label"), snapshot.get("task")))))


def describe(snapshot: Snapshot) -> str:
    """Return the sentence about a task: what it does, or how it ended."""
    match snapshot["state"]:
        case "succeeded":
            text = snapshot.get("conclusion") or describe_success(snapshot)
        case "failed":
            text = describe_failure(snapshot)
        case "cancelled":
            text = "Cancelled"
        case "lost":
            text = "Lost: the worker stopped responding"
        case "running" if snapshot.get("stalled"):
            text = f"No sign of life; last: {snapshot['status']}"
        case _:
            text = snapshot["status"]
    return to_line(text)


def describe_success(snapshot: Snapshot) -> str:
    """Return what was done and how long it took: "Done · 1,284 files in 1:02"."""
    count = describe_count({**snapshot, "total": None}) if snapshot.get("unit") else ""
    duration = describe_duration(snapshot)
    facts = " in ".join(filter(None, (count, duration)))
    if count:
        return f"Done · {facts}"
    return f"Done in {duration}" if duration else "Done"


def describe_failure(snapshot: Snapshot) -> str:
    """Return why a task failed: its error where the server tells it, else what the task said last."""
    message = (snapshot.get("error") or {}).get("message")
    reason = message if message not in (None, GENERIC_ERROR) else snapshot["status"]
    return reason if reason.startswith("Failed") else f"Failed: {reason}"


def explain(snapshot: Snapshot) -> str:
    """Return why a task did not succeed."""
    text = f"The task ended as {snapshot.get('state')!r}"
    if error := snapshot.get("error"):
        text += f": {error['type']}: {error['message']}"
    return to_line(text)


def describe_line(line: LogLine) -> str:
    """Return a line of a log with its time in UTC: "09:41:02 warning  3 rows skipped"."""
    return to_line(f"{line['t'][11:19]} {line['level']:<7}  {line['text']}")


def describe_facts(snapshot: Snapshot) -> list[str]:
    """Return the count, the rate and the time left of a task, or its usual time; each empty where it is unknown."""
    usual = describe_usual(snapshot)
    if snapshot.get("state") != "running":
        return ["", "", usual]
    eta = snapshot.get("eta")
    left = usual or (f"{format_duration(eta)} left" if eta else "")
    return [describe_count(snapshot), describe_rate(snapshot), left]


def describe_usual(snapshot: Snapshot) -> str:
    """Return how long a task usually takes: "usually 4 min"; empty for one that counts towards a total."""
    expected = snapshot.get("expected") or 0
    if expected < 1 or not (snapshot.get("state") == "queued" or is_open_ended(snapshot)):
        return ""
    return f"usually {format_roughly(expected)}"


def describe_count(snapshot: Snapshot) -> str:
    """Return how much is done: "42,310 / 100,000 rows"."""
    unit = snapshot.get("unit")
    counts = [value for value in (snapshot.get("current"), snapshot.get("total")) if value is not None]
    if snapshot.get("current") is None:
        return ""
    if is_bytes(unit):
        return " / ".join(map(format_bytes, counts))
    return " ".join(filter(None, (" / ".join(map(format_number, counts)), singular(unit, counts[-1]))))


def describe_rate(snapshot: Snapshot) -> str:
    """Return how fast it goes: "13,600 rows/s"; a slow one by the minute or the hour."""
    rate, unit = snapshot.get("rate"), snapshot.get("unit")
    if rate is None or unit is None:
        return ""
    if is_bytes(unit):
        return f"{format_bytes(rate)}/s"
    seconds, name = next((pair for pair in PERIODS if rate * pair[0] >= 0.1), PERIODS[0])
    value = round(rate * seconds, 1 if rate * seconds < 10 else None)
    return f"{format_number(value)} {singular(unit, value)}/{name}"


def describe_duration(snapshot: Snapshot) -> str:
    """Return how long an ended task ran; empty if it has not started."""
    start, end = snapshot.get("started_at"), snapshot.get("finished_at")
    if not start or not end:
        return ""
    seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    return "less than 1 s" if seconds < 1 else format_duration(seconds)


def format_duration(seconds: float) -> str:
    """Return seconds as m:ss up to an hour, then as hours and minutes, after two days as days and hours."""
    minutes, rest = divmod(ceil(seconds), 60)
    hours = minutes // 60
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes}:{rest:02d}"


def format_roughly(seconds: float) -> str:
    """Return seconds as such up to a minute, then as minutes, then as hours and minutes."""
    if seconds < 60:
        return f"{floor(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else format_duration(60 * minutes)


def format_number(value: float) -> str:
    """Return a number with at most one decimal: "1,284" or "2.5"."""
    return f"{value:,.1f}".removesuffix(".0")


def format_bytes(value: float) -> str:
    """Return a number of bytes: "4.2 MB"."""
    power = 0
    while value >= 1000 and power < len(BYTES) - 1:
        value, power = value / 1000, power + 1
    return f"{format_number(value)} {BYTES[power]}"


def is_bytes(unit: str | None) -> bool:
    """Return whether a task counts bytes."""
    return unit in ("bytes", "byte", "B")


def singular(unit: str | None, count: float) -> str:
    """Return a unit as it stands beside a count; of plurals only plain English ones are known, such as "rows"."""
    if unit and count == 1 and re.search("([^aeiosuxz]|[^aeioshxz]e)s$", unit):
        return unit[:-1]
    return unit or ""


def to_line(text: str) -> str:
    """Return text with a space for each line end or control character, which would disturb a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)
