"""The job's side: the reporting API, the reporters that make snapshots of it, and the thread that stores them."""

from .arguments import Call
from .binding import release
from .context import bind, get_bound
from .gone import disown_if_gone
from .kept_families import restore_family
from .log_filter import TaskIdFilter
from .log_handler import LogHandler
from .new_children import with_children
from .owed import Step
from .pauses import MAX_BACKOFF, MIN_BACKOFF
from .process import EXIT_SECONDS, call_before_end, drain_process, find_reporter, foretell, get_flusher, recall
from .progress import Progress
from .record import GetCall
from .recorder import Recorder
from .reporter import Reporter
from .sent_parents import take_back_parent
from .signals import task_changed, task_ended

__all__ = [
    "EXIT_SECONDS",
    "MAX_BACKOFF",
    "MIN_BACKOFF",
    "Call",
    "GetCall",
    "LogHandler",
    "Progress",
    "Recorder",
    "Reporter",
    "Step",
    "TaskIdFilter",
    "bind",
    "call_before_end",
    "disown_if_gone",
    "drain_process",
    "find_reporter",
    "foretell",
    "get_bound",
    "get_flusher",
    "recall",
    "release",
    "restore_family",
    "take_back_parent",
    "task_changed",
    "task_ended",
    "with_children",
]
