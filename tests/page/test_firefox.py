"""What readers are told in Firefox, whose EventSource has reasons of its own. The page itself tells what it shows."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory

from tasks_app.http.refused_stream import is_event_source
from tests.support.stub import RUNNING, Stub, encode, run_stub
from tests.support.waiting import DEADLINE, wait_until

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FIREFOX is None, reason="there is no firefox on PATH ('apt-get install firefox-esr')"),
]

PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="module" src="/static/tasks_app/task-progress-define.js"></script>
<task-progress task-id="t"></task-progress>
<script>
  const component = document.querySelector("task-progress");
  const tell = () => fetch(`/shown/${component.dataset.state}`);
  new MutationObserver(tell).observe(component, { attributeFilter: ["data-state"] });
</script>"""

#: Nothing but the page is asked for, and no other browser is a default.
PREFERENCES = """
user_pref("app.update.auto", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("toolkit.telemetry.enabled", false);
"""


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        running.html = PAGE
        running.snapshots["t"] = RUNNING
        running.greeting = encode()
        yield running


@contextmanager
def open_firefox(stub: Stub, folder: Path) -> Iterator[Callable[[str], int]]:
    """Show the page in Firefox; what is given counts how often it has come to a state."""
    (folder / "user.js").write_text(PREFERENCES)
    command = [FIREFOX, "--headless", "--no-remote", "--profile", str(folder), stub.url]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield lambda state: len(stub.find_requests("GET", f"/shown/{state}"))
        finally:
            process.terminate()
            process.wait(DEADLINE)


def refuse(handler: Any) -> None:
    handler.reply(502, "text/html", b"<h1>Bad Gateway</h1>")


def hang_up(handler: Any) -> None:
    """Close the connection without a word, as a server does that restarts."""


@pytest.mark.parametrize("stranger", [refuse, hang_up])
def test_server_that_is_away_is_shown_and_found_again(stub: Stub, tmp_path: Path, stranger):
    with open_firefox(stub, tmp_path) as count:
        wait_until(lambda: count("running") == 1, "the task is shown")
        stub.stranger = stranger
        stub.streams[0].close()
        wait_until(lambda: count("reconnecting") == 1, "the reader is told")
        stub.stranger = None
        wait_until(lambda: count("running") == 2, "the server is found again")
        assert count("reconnecting") == 1


def test_event_source_of_firefox_is_known_by_its_headers(stub: Stub, tmp_path: Path):
    with open_firefox(stub, tmp_path):
        stub.wait_for_stream()
    (headers,) = stub.find_requests("GET", "/task-progress")
    assert is_event_source(RequestFactory().get("/task-progress", headers=dict(headers)))


def test_page_that_never_heard_the_server_does_not_connect_for_ever(stub: Stub, tmp_path: Path):
    stub.stranger = refuse
    with open_firefox(stub, tmp_path) as count:
        wait_until(lambda: count("reconnecting") == 1, "the reader is told")
        stub.stranger = None
        wait_until(lambda: count("running") == 1, "the server is found")
