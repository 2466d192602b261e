"""Starts tasks, and follows them on every executor."""

from . import attempts, compat
from .attempts import adopt, pass_on
from .control import acancel, aget_snapshot, cancel, get_snapshot
from .enqueue import find_queued, queue
from .executor import Executor
from .frameworks import Flaw, get_runner, register
from .receivers import connect
from .start import astart, astart_named, resolve, start

__all__ = [
    "Executor",
    "Flaw",
    "acancel",
    "adopt",
    "aget_snapshot",
    "astart",
    "astart_named",
    "attempts",
    "cancel",
    "compat",
    "connect",
    "find_queued",
    "get_runner",
    "get_snapshot",
    "pass_on",
    "queue",
    "register",
    "resolve",
    "start",
]
