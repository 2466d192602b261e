"""The word "these tasks changed", from whoever wrote them to whoever watches them.

Within a process each listener is given what was stored. Other processes are told to look again, through a Channels
layer where there is one. It may be lost: readers sweep anyway.
"""

import os
import threading
from collections.abc import Callable, Mapping

from ..snapshot import Version
from . import channel_layer

#: Is given the versions by the ids of their tasks.
Listener = Callable[[Mapping[str, Version]], None]

_lock = threading.Lock()
_listeners: frozenset[Listener] = frozenset()


def listen(listener: Listener) -> None:
    """Have `listener` called with what was stored of tasks, in the thread that stored it; it must not block."""
    global _listeners
    with _lock:
        _listeners |= {listener}


def ignore(listener: Listener) -> None:
    """Undo `listen`; harmless if it was not listening."""
    global _listeners
    with _lock:
        _listeners -= {listener}


def publish(versions: Mapping[str, Version]) -> None:
    """Give every listener of this process the versions of tasks that were stored, and tell other processes of them."""
    for listener in _listeners:
        listener(versions)
    channel_layer.send(versions.keys())


def _forget_listeners() -> None:
    global _listeners, _lock
    _listeners = frozenset()  # their event loops stayed with the parent
    _lock = threading.Lock()  # a thread of the parent may hold the other


os.register_at_fork(after_in_child=_forget_listeners)
