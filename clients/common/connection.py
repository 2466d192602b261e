"""The meaning of a server's answers to a client, and the time for which it reconnects."""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

#: Seconds for which a client reconnects, unless it is told otherwise.
RECONNECT_FOR = 300.0

PROBLEM = "application/problem+json"  # RFC 9457; the app answers errors so, and what stands before it does not

#: The problems that pass: one must log in, or come back later.
PASSING = {401, 408, 425, 429, 500, 502, 503, 504}


class TaskError(Exception):
    """A task that did not succeed, or whose end is unknown; the message is for the user."""


class Interrupted(Exception):
    """A stream that was refused for now; another attempt may succeed.

    Attributes:
        reason: what the server said.
        retry_after: the seconds until it wants to be asked again; 0 if it did not say.
    """

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request, in whichever library it came.

    Attributes:
        request: its method and URL.
        phrase: what stands beside the status, such as "Not Found".
        headers: looked up without regard to case.
        body: the text of a problem; empty for all else.
    """

    request: str
    status: int
    phrase: str
    headers: Mapping[str, str]
    body: str = ""

    def check_stream(self) -> None:
        """Check that it is a stream.

        Raises:
            Interrupted: another attempt may succeed: a proxy, a page to log in or a busy server has answered.
            TaskError: another attempt can't succeed: the app says so, such as by 404 for a task that is gone.
        """
        if self.status == 200 and find_type(self.headers) == "text/event-stream":
            return
        if find_type(self.headers) == PROBLEM and self.status not in PASSING:
            raise TaskError(f"{self.request} {self.describe()}")
        seconds = self.headers.get("Retry-After", "")
        raise Interrupted(f"the server {self.describe()}", float(seconds) if seconds.isdecimal() else 0.0)

    def describe(self) -> str:
        """Return what was answered: the detail of a problem, the target of a redirect, or the type of a page."""
        text = f"answered {self.status} {self.phrase}"
        if detail := self._find_detail():
            return f"{text}: {detail}"
        if location := self.headers.get("Location"):
            return f"{text}, a redirect to {location!r}"
        return f"{text} ({find_type(self.headers) or 'no content'})"

    def _find_detail(self) -> str:
        try:
            problem = json.loads(self.body)
        except ValueError:  # a page, or a problem that was cut
            return ""
        return str(problem.get("detail") or "") if isinstance(problem, dict) else ""


def find_type(headers: Mapping[str, str]) -> str:
    """Return the content type without its parameters, such as "text/html"; empty if there is none."""
    return headers.get("Content-Type", "").partition(";")[0].strip()


def describe_error(error: BaseException) -> str:
    """Return why a connection failed, in the system's own words where it has some: "Connection refused"."""
    cause: BaseException | None = error
    while cause is not None:
        error, cause = cause, cause.__cause__ or cause.__context__
        if isinstance(error, OSError) and error.errno:
            return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
        if isinstance(error, TimeoutError):
            return "the server is silent"
    return f"{type(error).__name__}: {error}"


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
        self._reason: str | None = None

    def succeed(self) -> None:
        """Note that the server has sent something."""
        if self._reason is not None:
            self._reason = None
            self._tell(None)

    def fail(self, url: str, reason: str, pause: float) -> float:
        """Note that the stream is not there, and return the seconds until the next attempt.

        Args:
            pause: the seconds that the server wants a client to wait.

        Raises:
            TaskError: the time is over.
        """
        now = time.monotonic()
        if self._reason is None:
            self._since = now
        left = self._since + self._timeout - now
        if left <= 0:
            raise TaskError(f"Lost {url} and gave up after {self._timeout:g} s of reconnecting: {reason}")
        if reason != self._reason:
            self._reason = reason
            self._tell(reason)
        return min(pause, left)
