"""An event that may be set wherever Python code can be interrupted. Pure."""

from queue import Empty, SimpleQueue


class ReentrantEvent:
    """A `threading.Event` for one waiting thread, which a signal handler may set while the same thread sets it.

    `threading.Event.set` would wait there for ever, for a lock that the code below the handler holds. `put` of a
    SimpleQueue is atomic: https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put
    """

    def __init__(self) -> None:
        self._words: SimpleQueue[None] = SimpleQueue()

    def is_set(self) -> bool:
        """Was it set since it was cleared?"""
        return not self._words.empty()

    def set(self) -> None:
        """Let whoever waits go on, now or later."""
        if self._words.empty():
            self._words.put(None)

    def clear(self) -> None:
        """Undo `set`; only the thread that waits may do so."""
        while not self._words.empty():
            self._words.get()

    def wait(self, timeout: float) -> bool:
        """Wait until it is set, for `timeout` seconds at most (0 or more); is it?"""
        try:
            self._words.get(timeout=timeout)
        except Empty:
            return False
        self._words.put(None)
        return True
