"""Wake-ups within a process, and the start of those to other processes.

Within a process each listener is given what was stored. Other processes are told to look again, through a Channels
layer where there is one. It may be lost: readers sweep anyway.
"""

import threading
from collections.abc import Callable, Mapping

from ..snapshot import Version
from ..utils.lazy import per_process
from . import channel_layer

#: Is given the versions by the ids of their tasks.
Listener = Callable[[Mapping[str, Version]], None]


class Listeners:
    """The listeners of this process; may be used from any thread."""

    def __init__(self) -> None:
        self.current: frozenset[Listener] = frozenset()
        self._lock = threading.Lock()

    def add(self, listener: Listener) -> None:
        """Add a listener."""
        with self._lock:
            self.current |= {listener}

    def discard(self, listener: Listener) -> None:
        """Undo `add`; harmless if it was not there."""
        with self._lock:
            self.current -= {listener}


@per_process()
def get_listeners() -> Listeners:
    """Return the listeners of this process; those of its parent stayed there with their event loops."""
    return Listeners()


def listen(listener: Listener) -> None:
    """Have `listener` called with what was stored of tasks, in the thread that stored it; it must not block."""
    get_listeners().add(listener)


def ignore(listener: Listener) -> None:
    """Undo `listen`; harmless if it was not listening."""
    get_listeners().discard(listener)


def publish(versions: Mapping[str, Version]) -> None:
    """Give every listener of this process the versions of tasks that were stored, and wake other processes."""
    for listener in get_listeners().current:
        listener(versions)
    channel_layer.send(versions.keys())
