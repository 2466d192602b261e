"""The job's side: the reporting API, the reporters that make snapshots of it, and the thread that stores them."""

from .context import bind, get_bound
from .flusher import MAX_BACKOFF, MIN_BACKOFF
from .log_handler import LogHandler
from .owner import identify_owner
from .process import EXIT_SECONDS, call_before_end, drain_process, find_reporter, get_flusher, recall
from .progress import Progress
from .reporter import Reporter
from .signals import task_changed, task_ended

__all__ = [
    "EXIT_SECONDS",
    "MAX_BACKOFF",
    "MIN_BACKOFF",
    "LogHandler",
    "Progress",
    "Reporter",
    "bind",
    "call_before_end",
    "drain_process",
    "find_reporter",
    "get_bound",
    "get_flusher",
    "identify_owner",
    "recall",
    "task_changed",
    "task_ended",
]
