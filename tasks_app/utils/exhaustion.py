"""Errors of a process that has no memory, threads or open files to spare; later it may have some again."""

import errno
import logging
import time
from collections.abc import Callable

from .rarely import Rarely

logger = logging.getLogger("tasks_app")

#: What CPython says when it can't start a thread; it has no exception class of its own for that.
_NO_THREAD = "can't start new thread"

_NUMBERS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def is_exhaustion(error: BaseException) -> bool:
    """Return whether an exception says that the process has used up what it may."""
    if isinstance(error, RuntimeError):
        return _NO_THREAD in str(error)
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _NUMBERS)


class ExhaustionLog:
    """The log of exhaustion, which says it once in a while, however many requests and jobs it hits."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rarely = Rarely(monotonic)

    def note(self, error: BaseException, consequence: str) -> None:
        """Log at ERROR what `error` means for somebody, unless that was done in the last minute."""
        if self._rarely.is_due("exhaustion"):
            logger.error(
                "this process has no memory, threads or open files to spare (%s: %s); %s",
                type(error).__name__,
                error,
                consequence,
            )


exhaustion_log = ExhaustionLog()
