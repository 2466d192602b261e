"""Live progress of long-running jobs, in Django, over Server-Sent Events."""

from .exceptions import (
    BrokerUnavailable,
    InvalidArguments,
    StoreUnavailable,
    TaskAlreadyEnded,
    TaskCancelled,
    TaskIdTaken,
    TaskNotFound,
    TaskQueueFull,
    UnknownTask,
)
from .http import start_response
from .lifecycle import acancel, aget_snapshot, cancel, get_snapshot
from .lifecycle.announce import aannounce, announce
from .lifecycle.batch import astart_batch, start_batch
from .lifecycle.start import astart, start
from .lifecycle.task_run import task_run
from .reporting import LogHandler, Progress, TaskIdFilter, task_changed, task_ended
from .reporting.context import progress
from .snapshot import Snapshot, Stage, State
from .tokens import make_token
from .utils.release import VERSION

__version__ = VERSION

__all__ = [
    "BrokerUnavailable",
    "InvalidArguments",
    "LogHandler",
    "Progress",
    "Snapshot",
    "Stage",
    "State",
    "StoreUnavailable",
    "TaskAlreadyEnded",
    "TaskCancelled",
    "TaskIdFilter",
    "TaskIdTaken",
    "TaskNotFound",
    "TaskQueueFull",
    "UnknownTask",
    "aannounce",
    "acancel",
    "aget_snapshot",
    "announce",
    "astart",
    "astart_batch",
    "cancel",
    "get_snapshot",
    "make_token",
    "progress",
    "start",
    "start_batch",
    "start_response",
    "task_changed",
    "task_ended",
    "task_run",
]
