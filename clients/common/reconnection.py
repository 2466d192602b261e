"""The errors of a task that can't be shown to its end, and the time for which it is tried again."""

import time
from collections.abc import Callable, Sequence

#: Seconds for which a stream is tried again, unless the user wants others.
RECONNECT_FOR = 300.0


class TaskError(Exception):
    """A task whose end is unknown, since it can't be started or followed; the message is for the user."""

    #: What the script ends with.
    exit_status = 3


class NotSucceeded(TaskError):
    """A task that has ended in another way than with success."""

    exit_status = 1


def raise_gravest(problems: Sequence[TaskError]) -> None:
    """Raise one error for all problems, if there are any: with each message once, and the highest exit status."""
    if problems:
        gravest = max(problems, key=lambda problem: problem.exit_status)
        raise type(gravest)("\n".join(dict.fromkeys(map(str, problems))))


class Interrupted(Exception):
    """A look that failed for now; another may succeed.

    Attributes:
        reason: what has answered instead.
        retry_after: the seconds until it wants to be asked again; 0 if it did not say.
        is_nonsense: whether a stream was there, of which nothing could be read.
    """

    def __init__(self, reason: str, retry_after: float = 0.0, *, is_nonsense: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.is_nonsense = is_nonsense


class Reconnection:
    """The attempts to get a stream back: until when, and what is said of them.

    Args:
        timeout: the seconds for which they go on, counted from the first failure since the last news.
        tell: called with each new reason for an attempt, and with None once the stream is back.
    """

    def __init__(
        self, timeout: float = RECONNECT_FOR, tell: Callable[[str | None], None] = lambda reason: None
    ) -> None:
        self._timeout = timeout
        self._tell = tell
        self._since = 0.0
        self._read_at = time.monotonic()
        self._reason: str | None = None

    def succeed(self) -> None:
        """Note that the server has sent something."""
        if self._reason is not None:
            self._reason = None
            self._tell(None)

    def note_read(self) -> None:
        """Note that a message of the server could be read."""
        self._read_at = time.monotonic()

    def fail(self, url: str, interrupted: Interrupted, retry: float) -> float:
        """Note that the stream is not there, and return the seconds until the next attempt.

        Args:
            interrupted: why it is not.
            retry: the seconds that a client waits between two attempts.

        Raises:
            TaskError: the time is over.
        """
        now = time.monotonic()
        if self._reason is None:
            self._since = self._read_at if interrupted.is_nonsense else now  # what can't be read is no news
        left = self._since + self._timeout - now
        if left <= 0:
            raise TaskError(f"Lost {url} and gave up after {self._timeout:g} s of reconnecting: {interrupted}")
        if interrupted.reason != self._reason:
            self._reason = interrupted.reason
            self._tell(self._reason)
        return min(max(retry, interrupted.retry_after), left)
