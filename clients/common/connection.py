"""The meaning of a server's answers to a client."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from .reconnection import Interrupted, TaskError
from .texts import to_line

PROBLEM = "application/problem+json"  # RFC 9457; the app answers errors so, and what stands before it does not

#: The problems that pass: one must log in, or come back later.
PASSING = {401, 408, 425, 429, 500, 502, 503, 504}


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
        return to_line(self._tell())

    def _tell(self) -> str:
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
