"""The site of `wire_settings` in a Daphne process, and what a test asks of it."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import wire
from tests.support.servers import Server, run_daphne
from tests.support.viewers import make_cancel_url
from tests.support.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Site:
    """A running site; `order` pulls the strings of its puppets."""

    server: Server = field(repr=False)

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def log(self) -> str:
        return "".join(self.server.output)

    def start(self, name: str, /, **kwargs: Any) -> str:
        return wire.start_task(self.port, name, **kwargs)

    def start_puppet(self, name: str) -> str:
        """Start a puppet that is called like that, and return its id."""
        return self.start("puppet", name=name)

    def order(self, name: str, /, **order: Any) -> None:
        """Have a puppet update its progress, `return` or `raise`."""
        assert wire.post_json(self.port, f"/orders/{name}", order).status == 200

    def order_return(self, name: str, value: Any = None) -> None:
        self.order(name, **{"return": value})

    def order_raise(self, name: str, message: str) -> None:
        self.order(name, **{"raise": message})

    def cancel(self, task_id: str) -> None:
        assert wire.send(self.port, "POST", make_cancel_url(task_id)).status == 202

    def get_stats(self) -> dict[str, Any]:
        return wire.send(self.port, "GET", "/stats").json()

    def get_snapshot(self, task_id: str) -> dict[str, Any]:
        return wire.send(self.port, "GET", f"/tasks/{task_id}").json()

    def open(self, task_id: str, *, query: str = "", headers: wire.Headers | None = None) -> wire.EventStream:
        return wire.EventStream(self.port, f"/task-progress/{task_id}{query}", headers)

    def read_all(self, task_id: str, **options: Any) -> list[wire.Event]:
        """Return the events of a whole stream."""
        with self.open(task_id, **options) as stream:
            return stream.read_all()

    def wait_for(self, task_id: str, state: str) -> dict[str, Any]:
        """Return the snapshot of a task once it is in this state."""
        wait_until(lambda: self.get_snapshot(task_id).get("state") == state, f"task {task_id} is {state}")
        return self.get_snapshot(task_id)

    def count_connections(self, database: Path) -> int:
        """Return how many connections to this database file the process has open."""
        folder = Path(f"/proc/{self.server.process.pid}/fd")
        return sum(_is_link_to(item, database) for item in folder.iterdir())

    def wait_until_free(self) -> None:
        """Wait until the process holds no stream."""
        wait_until(lambda: not self.get_stats()["viewers"], f"every stream was let go of: {self.get_stats()}")
        assert self.get_stats()["watches"] == []


def _is_link_to(link: Path, target: Path) -> bool:
    try:
        return link.readlink() == target
    except FileNotFoundError:  # it was closed in the meantime
        return False


@contextmanager
def run_site(*, env: Mapping[str, str] | None = None, **tasks_app: Any) -> Iterator[Site]:
    """Run the site with these values in TASKS_APP; at the end it must hold no stream and have logged no error."""
    settings = {"DJANGO_SETTINGS_MODULE": "tests.support.wire_settings", "WIRE_TASKS_APP": json.dumps(tasks_app)}
    with run_daphne(env={**settings, **(env or {})}) as server:
        site = Site(server)
        yield site
        site.wait_until_free()
    errors = find_errors(site.log)
    assert not errors, "\n".join(errors)


#: What a traceback may come from: a puppet that was told to fail or stop, and Django's own refusal of a query
#: or of a host, which asyncio logs if the client has left meanwhile.
EXPECTED = ("/tests/support/puppets.py", "Max number of fields exceeded", "TooManyFieldsSent", "DisallowedHost")


def find_errors(log: str) -> list[str]:
    """Return the unexpected tracebacks in a log."""
    found = re.findall(r"Traceback \(most recent call last\):\n(?:[ ].*\n)+.*", log)
    return [trace for trace in found if not any(text in trace for text in EXPECTED)]
