"""The keys under which things are stored in the cache. Pure: no Django, no I/O."""

import hashlib
import re
from datetime import datetime

#: A task's id is part of URLs and cache keys: printable ASCII without a slash (memcached forbids spaces).
_TASK_ID = re.compile(r"[!-.0-~]{1,128}")

#: Ids that are something else at the end of a URL. Browsers and proxies take "." and ".." for the folder and the one
#: above.
RESERVED_IDS = frozenset({".", "..", "monitor", "tokens", "openapi.json"})

RECENT_COUNT_KEY = "tasks_app:recent"


def is_task_id(text: str) -> bool:
    """Return whether `text` may be the id of a task."""
    return _TASK_ID.fullmatch(text) is not None and text not in RESERVED_IDS


def make_task_key(task_id: str) -> str:
    """Return the key of a task's snapshot."""
    return f"tasks_app:task:{task_id}"


def make_page_key(task_id: str, slot: int) -> str:
    """Return the key of one page of a task's log."""
    return f"tasks_app:log:{task_id}:{slot}"


def make_details_key(task_id: str, attempt: int) -> str:
    """Return the key of what only staff may know of one attempt of a task."""
    return f"tasks_app:details:{task_id}:{attempt}"


def make_recent_key(place: int) -> str:
    """Return the key of one entry in the list of recent tasks."""
    return f"tasks_app:recent:{place}"


def make_plan_key(turn: int) -> str:
    """Return the key of the places on that list which tasks use next."""
    return f"tasks_app:recent:plan:{turn}"


def make_mark_key() -> str:
    """Return the key of a value that stays as it is until the cache is emptied."""
    return "tasks_app:mark"


def make_cancel_key(task_id: str) -> str:
    """Return the key of the request to cancel a task."""
    return f"tasks_app:cancel:{task_id}"


def make_received_key(task_id: str) -> str:
    """Return the key of the note that an executor holds the message of a task."""
    return f"tasks_app:received:{task_id}"


def make_followers_key(task_id: str) -> str:
    """Return the key of the ids of the tasks that are to be sent after a task."""
    return f"tasks_app:followers:{task_id}"


def make_brood_key(task_id: str) -> str:
    """Return the key of how many children a task has, and under how many further keys their ids are."""
    return f"tasks_app:brood:{task_id}"


def make_segment_key(task_id: str, number: int) -> str:
    """Return the key of the ids of some children of a task."""
    return f"tasks_app:children:{task_id}:{number}"


def make_note_key(parent: str, task_id: str) -> str:
    """Return the key of what is kept of the end of a child for this parent alone, short for any two ids."""
    return f"tasks_app:ended:{hashlib.blake2b(parent.encode(), digest_size=16).hexdigest()}:{task_id}"


def make_left_key(task_id: str) -> str:
    """Return the key of how many children of a task have not ended, itself included if it runs."""
    return f"tasks_app:left:{task_id}"


def make_counted_key(task_id: str) -> str:
    """Return the key of the mark that a task which runs is counted as one that its own end waits for."""
    return f"tasks_app:counted:{task_id}"


def make_summed_key(task_id: str, attempt: int, created_at: datetime) -> str:
    """Return the key of the mark that a process tells of the end of a parent, in this run under its id."""
    return f"tasks_app:summed:{task_id}:{attempt}:{int(created_at.timestamp() * 1000)}"


def make_begin_key(task_id: str, attempt: int) -> str:
    """Return the key of the note that a process is about to begin this attempt of a task under a chosen id."""
    return f"tasks_app:begin:{task_id}:{attempt}"


def make_listening_key(group: str) -> str:
    """Return the key of the note that a process listens to the wake-ups of a group of tasks."""
    return f"tasks_app:listening:{group}"


def make_attempt_key(task_id: str) -> str:
    """Return the key of the number of a task's latest attempt."""
    return f"tasks_app:attempt:{task_id}"


def make_probe_key(name: str) -> str:
    """Return the key of what one observer writes to learn whether the cache takes writes."""
    return f"tasks_app:probe:{name}"


def make_claim_key(name: str) -> str:
    """Return the key of an idempotency claim: a hash of `name`, so that every cache backend accepts it."""
    return f"tasks_app:start:{hashlib.sha256(name.encode()).hexdigest()}"


def make_gone_key(owner: str) -> str:
    """Return the key of the note that a user was deleted: a hash of the user's key, which may be any text."""
    return f"tasks_app:gone:{hashlib.sha256(owner.encode('utf-8', 'surrogatepass')).hexdigest()}"


def make_history_key(task: str) -> str:
    """Return the key of the durations of the latest runs of a task: a hash of its name, which may be any text."""
    return f"tasks_app:durations:{hashlib.sha256(task.encode('utf-8', 'surrogatepass')).hexdigest()}"


def make_client_key(name: str) -> str:
    """Return the key of what a client has started: a hash of its name, which may be a secret."""
    return f"tasks_app:client:{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"
