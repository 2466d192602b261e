"""What is kept under which key of the cache. Pure: no Django, no I/O."""

import hashlib
import re

#: An id is a part of URLs and of cache keys: printable ASCII without a slash (memcached forbids spaces).
_TASK_ID = re.compile(r"[!-.0-~]{1,128}")

RECENT_COUNT_KEY = "tasks_app:recent"


def is_task_id(text: str) -> bool:
    """Can this be the id of a task?"""
    return _TASK_ID.fullmatch(text) is not None


def make_task_key(task_id: str) -> str:
    """Return where the snapshot of a task is."""
    return f"tasks_app:task:{task_id}"


def make_page_key(task_id: str, slot: int) -> str:
    """Return where a page of a task's log is."""
    return f"tasks_app:log:{task_id}:{slot}"


def make_recent_key(place: int) -> str:
    """Return where an entry of the list of recent tasks is."""
    return f"tasks_app:recent:{place}"


def make_cancel_key(task_id: str) -> str:
    """Return where word is left that a task shall stop."""
    return f"tasks_app:cancel:{task_id}"


def make_attempt_key(task_id: str) -> str:
    """Return where word is left which attempt of a task is the latest."""
    return f"tasks_app:attempt:{task_id}"


def make_claim_key(name: str) -> str:
    """Return where an idempotency key is; whatever a client wrote becomes one that every cache takes."""
    return f"tasks_app:start:{hashlib.sha256(name.encode()).hexdigest()}"
