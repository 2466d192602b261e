"""The word "these tasks changed, look again", from whoever wrote them to whoever watches them.

It may be lost: readers sweep anyway. Within a process it goes straight to each listener, to others through a Channels
layer where there is one.
"""

import os
import threading
from collections.abc import Callable, Collection

from . import layers

Listener = Callable[[Collection[str]], None]

_lock = threading.Lock()
_listeners: frozenset[Listener] = frozenset()


def listen(listener: Listener) -> None:
    """Have `listener` called with the ids of tasks that changed, in the thread that wrote them; it must not block."""
    global _listeners
    with _lock:
        _listeners |= {listener}


def ignore(listener: Listener) -> None:
    """Undo `listen`; harmless if it was not listening."""
    global _listeners
    with _lock:
        _listeners -= {listener}


def publish(task_ids: Collection[str]) -> None:
    """Tell every listener of this process, and other processes, that these tasks were written."""
    for listener in _listeners:
        listener(task_ids)
    layers.send(task_ids)


def _forget_listeners() -> None:
    global _listeners, _lock
    _listeners = frozenset()  # their event loops stayed with the parent
    _lock = threading.Lock()  # a thread of the parent may hold the other


os.register_at_fork(after_in_child=_forget_listeners)
