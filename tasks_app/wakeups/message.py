"""The message by which processes wake each other: what is sent of it, and what is read of any that comes."""

import zlib
from collections.abc import Collection
from typing import Any

GROUPS = 64


def name_group(task_id: str) -> str:
    """Return the group that carries the wake-ups of a task."""
    return f"tasks_app.{zlib.crc32(task_id.encode()) % GROUPS}"


def make_message(origin: str, task_ids: Collection[str]) -> dict[str, Any]:
    """Return the message by which one process says that these tasks changed."""
    return {"type": "tasks_app.changed", "origin": origin, "task_ids": [*task_ids]}


def find_task_ids(message: object, *, unless_from: str) -> list[str]:
    """Return the tasks that a message names, none of the process `unless_from`.

    Raises:
        ValueError: it is no such message; another program, or another version, may have sent it.
    """
    match message:
        case {"origin": str(origin), "task_ids": [*task_ids]} if all(isinstance(item, str) for item in task_ids):
            return [] if origin == unless_from else task_ids
    raise ValueError("not a message of wake-ups")
