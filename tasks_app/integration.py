"""The API for integrating a task framework or a metrics library; `tasks_app.contrib` uses nothing else of this app.

An integration of a framework has these parts:

- `register` a `Framework`, so that `start()` and `cancel()` accept its tasks.
- When a task is enqueued, call `queue` to store its first snapshot. To let `start()` wait for the commit of a
  transaction, a framework also has `promise`, and `enqueue` uses the id of `get_promised_id`, unless that is None.
- When a job begins, call `begin`, which returns the `Reporter` of this attempt, and `enter`, which binds `progress` to
  it. A `Call` tells staff the arguments. When the job ends, call the reporter's `succeed`, `fail`, `end_cancelled` or
  `hand_back`, then `leave`. Call its `note_error` first if an exception is why it is handed back.
- A task that is delivered for the first time begins faster by `begin(…, delivery=Delivery.FIRST)`. Who cancels a task
  that waits must then call `claim_end`, and leave it to its worker if that returns False; a message that comes once
  more is begun by `begin(…, delivery=Delivery.AGAIN)`.
- Where callers may choose an id and use it again (`is_chosen`), pass `is_new_run=True` to `queue` for the first
  message of a run, put what `name_run` returns of the snapshot into it, and pass that to `begin` as `run`.
- When a task is sent that is to send others later, whose ids are known, call `get_followers().announce` with what
  `make_follower` returns of them. While it runs, `get_followers().keep` has the cache keep them.
- When many tasks are sent as one, `gather` makes a parent of them, or `gather_started` where `start()` sends them.
  Tell it of each; call its `close` when all are sent, or `give_up` if that fails. Pass the id of the parent to `queue`
  and `make_follower`. Where callers may choose ids of the parts, pass these to `check_parts` before anything is sent,
  and as `parts` of a `Promise`. Call `give_up_part` if a part turns out to be the unfinished task of another parent.
- When a task ends without a process to report it (it was revoked, or its process died), call `adopt` for a reporter;
  call `adopt_promised` if its id was given away, but it will never be enqueued.

Wrap the receivers of the framework's signals in `never_raise`. Call `drain_process` before a worker process ends, so
that every snapshot is stored.

An integration of a metrics library calls `set_meter` with a `Meter`, which is told what this process measures.
"""

from .checks import get_valid_settings
from .conf import get_settings
from .exceptions import BrokerUnavailable, TaskCancelled, TaskIdTaken
from .http import endpoint, refusal
from .lifecycle import (
    Delivery,
    Flaw,
    Framework,
    Gathering,
    Promise,
    adopt,
    adopt_promised,
    begin,
    check_parts,
    claim_end,
    enter,
    find_queued,
    gather,
    gather_started,
    get_followers,
    get_promised_id,
    give_up_part,
    is_chosen,
    leave,
    name_run,
    never_raise,
    pass_on,
    queue,
    register,
    unregister,
    use_store,
    write,
)
from .metering import Meter, set_meter
from .monitor import get_recent_reader
from .reporting import (
    EXIT_SECONDS,
    MAX_BACKOFF,
    MIN_BACKOFF,
    Call,
    Reporter,
    drain_process,
    find_reporter,
    get_bound,
    get_flusher,
)
from .snapshot import EXPIRED, Snapshot, State, make_follower, make_label, renumber
from .store import Notes, decode, get_store, is_task_id
from .users import may_view_all
from .utils.clock import parse_time
from .utils.lazy import per_process
from .utils.rarely import Rarely
from .utils.threads import DaemonExecutor

__all__ = [
    "EXIT_SECONDS",
    "EXPIRED",
    "MAX_BACKOFF",
    "MIN_BACKOFF",
    "BrokerUnavailable",
    "Call",
    "DaemonExecutor",
    "Delivery",
    "Flaw",
    "Framework",
    "Gathering",
    "Meter",
    "Notes",
    "Promise",
    "Rarely",
    "Reporter",
    "Snapshot",
    "State",
    "TaskCancelled",
    "TaskIdTaken",
    "adopt",
    "adopt_promised",
    "begin",
    "check_parts",
    "claim_end",
    "decode",
    "drain_process",
    "endpoint",
    "enter",
    "find_queued",
    "find_reporter",
    "gather",
    "gather_started",
    "get_bound",
    "get_flusher",
    "get_followers",
    "get_promised_id",
    "get_recent_reader",
    "get_settings",
    "get_store",
    "get_valid_settings",
    "give_up_part",
    "is_chosen",
    "is_task_id",
    "leave",
    "make_follower",
    "make_label",
    "may_view_all",
    "name_run",
    "never_raise",
    "parse_time",
    "pass_on",
    "per_process",
    "queue",
    "refusal",
    "register",
    "renumber",
    "set_meter",
    "unregister",
    "use_store",
    "write",
]
