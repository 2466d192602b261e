"""Wake-ups within this process: each listener is given the stored versions."""

import threading
from collections.abc import Callable, Mapping

from ..snapshot import Version
from ..utils.lazy import per_process

#: A function that is called with the stored versions by task id.
Listener = Callable[[Mapping[str, Version]], None]


class Listeners:
    """The listeners of this process, for use from any thread."""

    def __init__(self) -> None:
        self.current: frozenset[Listener] = frozenset()
        self._lock = threading.Lock()

    def add(self, listener: Listener) -> None:
        """Add a listener."""
        with self._lock:
            self.current |= {listener}

    def discard(self, listener: Listener) -> None:
        """Remove a listener; without effect if it was not added."""
        with self._lock:
            self.current -= {listener}


@per_process()
def get_listeners() -> Listeners:
    """Return the listeners of this process; a forked child starts without its parent's."""
    return Listeners()


def listen(listener: Listener) -> None:
    """Call `listener` with the versions of each write, in the thread that wrote them; it must not block."""
    get_listeners().add(listener)


def ignore(listener: Listener) -> None:
    """Undo `listen`; without effect if `listener` was not listening."""
    get_listeners().discard(listener)


def notify(versions: Mapping[str, Version]) -> None:
    """Give stored versions to every listener."""
    for listener in get_listeners().current:
        listener(versions)
