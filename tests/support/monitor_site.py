"""The site of `monitor_settings` in a Daphne process, and the tasks that a test puts there."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from tests.support import wire
from tests.support.browser import open_tab
from tests.support.servers import run_daphne
from tests.support.wire_site import Site

ANA, LI, OMAR = "1", "2", "3"

#: A `seq` for each task: one that comes after another of the same id is a later version, as in the app itself.
_numbers = itertools.count(5)

#: Has the page seem to be hidden, or to be seen again.
HIDE = """(isHidden) => {
  Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@contextmanager
def run_monitor_site(
    folder: Path, *, env: Mapping[str, str] | None = None, port: int = 0, **tasks_app: Any
) -> Iterator[Site]:
    """Run the site with these values in TASKS_APP, and with its database in a folder.

    It is patient: nobody works at most of the tasks that tests put there, and they shall not stall for that.
    """
    settings = {
        "DJANGO_SETTINGS_MODULE": "tests.support.monitor_settings",
        "WIRE_TASKS_APP": json.dumps({"STALLED_AFTER": 600, "LOST_AFTER": 6000, **tasks_app}),
        "WIRE_DATABASE": str(folder / "db.sqlite3"),
    }
    with run_daphne("tests.support.monitor_asgi:application", env={**settings, **(env or {})}, port=port) as server:
        yield Site(server)


def make_url(site: Site, path: str = "/tasks/monitor") -> str:
    return f"http://127.0.0.1:{site.port}{path}"


@contextmanager
def open_staff_tab(browser: Browser, site: Site, *, name: str = "ana", **options: Any) -> Iterator[Page]:
    """Open an empty page of somebody who is logged in."""
    with open_tab(browser, **options) as page:
        log_in(site, page, name)
        yield page


def log_in(site: Site, page: Page, name: str = "ana") -> None:
    assert page.request.get(make_url(site, f"/log-in/{name}")).ok


def put_tasks(site: Site, tasks: Iterable[Mapping[str, Any]]) -> None:
    """Store tasks, and list them."""
    assert wire.post_json(site.port, "/put", list(tasks)).status == 200


def clear_tasks(site: Site) -> None:
    assert wire.send(site.port, "POST", "/clear").status == 200


def make_task(
    task_id: str, task: str = "shop.tasks.import_rows", state: str = "running", **values: Any
) -> dict[str, Any]:
    """Return a task that nobody works at.

    Args:
        values: its fields; `age`, `start` and `end` are how many seconds ago it was created, begun and ended, and
            `log` is a list of levels and texts, `attempts` one of what `make_attempt` returns.
    """
    age = values.pop("age", 60)
    start, end = values.pop("start", age), values.pop("end", None)
    has_ended = state not in ("queued", "running")
    return {
        "task_id": task_id,
        "task": task,
        "state": state,
        "progress": 100 if state == "succeeded" else 0,
        "percent": float(values.get("progress", 0)),
        "status": {"succeeded": "Completed"}.get(state, state.capitalize()),
        "seq": next(_numbers),
        "attempt": 0 if state == "queued" else 1,
        "stages": [],
        "created_at": ago(age),
        "started_at": None if state == "queued" else ago(start),
        "updated_at": ago(end or 0),
        "finished_at": ago(end or 0) if has_ended else None,
        **values,
    }


def make_attempt(number: int, start: float, end: float | None = None, **values: Any) -> dict[str, Any]:
    """Return what staff know of an attempt that began and ended so many seconds ago; `values` are its fields."""
    return {
        "attempt": number,
        "state": "running" if end is None else "succeeded",
        "started_at": ago(start),
        "finished_at": None if end is None else ago(end),
        "host": "worker-1",
        "process": 4242,
        "arguments": None,
        "error": None,
        "traceback": None,
        "stages": [],
        **values,
    }


def make_span(name: str, start: float, end: float | None = None, state: str = "succeeded") -> dict[str, Any]:
    """Return when a job entered and left a stage, so many seconds ago."""
    times = {"started_at": ago(start), "finished_at": None if end is None else ago(end)}
    return {"name": name, "state": "running" if end is None else state, **times}


def ago(seconds: float) -> str:
    time = datetime.now(UTC) - timedelta(seconds=seconds)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
