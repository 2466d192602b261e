"""A task of the site that somebody lets the doctor see: each process of the site is to know it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, urlencode

from ..http import make_url
from ..tokens import make_token
from .address import Address
from .finding import Finding, Level, Result

#: How often the site is asked for the task, each time on a new connection.
TIMES = 8


#: Seconds for which a token of the doctor's own holds.
TOKEN_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Shown:
    """A task, and a token that shows it."""

    task_id: str
    token: str

    @classmethod
    def of(cls, task_id: str, token: str | None = None) -> Self:
        """Return the task with this token, or with one of the doctor's own: who can run it may see every task."""
        return cls(task_id, token or make_token(task_id, max_age=TOKEN_SECONDS))

    def make_path(self, name: str) -> str:
        """Return the path of one of the endpoints of the task, with the token as a page sends it."""
        return f"{quote(make_url(name, self.task_id))}?{urlencode({'token': self.token})}"


def examine_shown_task(address: Address, shown: Shown) -> Iterator[Result]:
    """Yield whether some of the processes of a site know a task that others do not."""
    statuses = [address.fetch(shown.make_path("task")).status for _ in range(TIMES)]
    if {200, 404} <= set(statuses):
        yield Finding(
            id="site-processes-differ",
            level=Level.ERROR,
            what=f"Of {TIMES!r} requests to {address} for the same task, {statuses.count(404)!r} did not find it: its "
            "processes do not share the cache.",
            cure="Use a cache that all processes share, Redis or Valkey, or run one web process.",
            proves=["site-hides-task"],
        )
