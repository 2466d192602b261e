"""The API for task frameworks of any kind; `tasks_app.contrib.celery` is built on it and nothing else.

An integration connects a framework in four places:

- `register` a `Framework`: then `start()` and `cancel()` take its tasks.
- Where a task is sent, `queue` stores its first snapshot.
- Where a task runs, `begin` returns the `Reporter` of this attempt and `enter` makes it the one that `progress` stands
  for; at its end call `succeed`, `fail`, `end_cancelled` or `hand_back` of the reporter, and `leave`.
- Where a task ends that no process reports (it was revoked, or its process died), `adopt` returns a reporter for that.

Wrap the receivers of the framework's signals in `never_raise`. Before a worker process ends, `drain_process` writes
what is not written yet.
"""

from .checks import get_valid_settings
from .exceptions import BrokerUnavailable, TaskCancelled
from .lifecycle import (
    Flaw,
    Framework,
    adopt,
    begin,
    enter,
    find_queued,
    leave,
    never_raise,
    pass_on,
    queue,
    register,
    unregister,
    use_store,
    write,
)
from .reporting import (
    EXIT_SECONDS,
    MAX_BACKOFF,
    MIN_BACKOFF,
    Reporter,
    drain_process,
    find_reporter,
    get_bound,
    get_flusher,
)
from .snapshot import Snapshot, State
from .store import get_store, is_task_id
from .utils.lazy import per_process
from .utils.threads import DaemonExecutor

__all__ = [
    "EXIT_SECONDS",
    "MAX_BACKOFF",
    "MIN_BACKOFF",
    "BrokerUnavailable",
    "DaemonExecutor",
    "Flaw",
    "Framework",
    "Reporter",
    "Snapshot",
    "State",
    "TaskCancelled",
    "adopt",
    "begin",
    "drain_process",
    "enter",
    "find_queued",
    "find_reporter",
    "get_bound",
    "get_flusher",
    "get_store",
    "get_valid_settings",
    "is_task_id",
    "leave",
    "never_raise",
    "pass_on",
    "per_process",
    "queue",
    "register",
    "unregister",
    "use_store",
    "write",
]
