"""What says that this process has no memory, threads or open files to spare; later it may have some again."""

import errno
import logging
import time
from collections.abc import Callable

logger = logging.getLogger("tasks_app")

#: What CPython says when it can't start a thread; it has no exception class of its own for that.
_NO_THREAD = "can't start new thread"

_NUMBERS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}

#: Seconds in which it is logged once.
LOG_INTERVAL = 60.0


def is_exhaustion(error: BaseException) -> bool:
    """Return whether an exception says that the process has used up what it may."""
    if isinstance(error, RuntimeError):
        return _NO_THREAD in str(error)
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _NUMBERS)


class ExhaustionLog:
    """The log of exhaustion, which says it once in a while, however many requests and jobs it hits."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._logged_at: float | None = None

    def note(self, error: BaseException, consequence: str) -> None:
        """Log at ERROR what `error` means for somebody, unless that was done in the last LOG_INTERVAL seconds."""
        now = self._monotonic()
        if self._logged_at is None or now - self._logged_at > LOG_INTERVAL:
            self._logged_at = now
            logger.error(
                "this process has no memory, threads or open files to spare (%s: %s); %s",
                type(error).__name__,
                error,
                consequence,
            )


exhaustion_log = ExhaustionLog()
