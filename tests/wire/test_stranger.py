"""A project that knows nothing of this repository: `startproject`, what README asks to add, and no more."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django
import pytest
from django.core.management import call_command

from tests.support import wire
from tests.support.servers import ROOT, Server, run_daphne, run_runserver
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wire_site import find_errors

pytestmark = pytest.mark.slow

TASKS = """
from pathlib import Path
from tasks_app import progress
try:
    from django.tasks import task
except ImportError:
    from django_tasks import task


@task
def report(gate: str) -> str:
    progress.update(current=1, total=2, status="Half")
    while not Path(gate).exists():
        progress.raise_if_cancelled()
    return "the report"
"""

SETTINGS = """
INSTALLED_APPS += ["tasks_app"]
TASKS = {"default": {"BACKEND": "tasks_app.backends.InProcessBackend"}}
TASKS_APP = {"STARTABLE": {"report": "shop.tasks.report"}}
"""

URLS = """
from django.urls import include
urlpatterns += [path("", include("tasks_app.urls"))]
"""

ANONYMOUS = 'TASKS_APP["ALLOW_ANONYMOUS_START"] = True\n'
ATOMIC = """
DATABASES["default"]["ATOMIC_REQUESTS"] = True
DATABASES["reports"] = {**DATABASES["default"], "NAME": ":memory:"}
"""
GZIP = 'MIDDLEWARE.insert(0, "django.middleware.gzip.GZipMiddleware")\n'
LOGIN = 'MIDDLEWARE.append("django.contrib.auth.middleware.LoginRequiredMiddleware")\n'


@dataclass(frozen=True, slots=True)
class Project:
    """A project made by `django-admin startproject`, in a folder of its own."""

    folder: Path

    @property
    def env(self) -> Mapping[str, str]:
        return {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "shop.settings"}

    @property
    def gate(self) -> Path:
        """A file; its task goes on as soon as it exists."""
        return self.folder / "gate"

    def add(self, module: str, text: str) -> None:
        path = self.folder / "shop" / f"{module}.py"
        path.write_text((path.read_text() if path.exists() else "") + text)

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env={**os.environ, **self.env}, capture_output=True, text=True, timeout=DEADLINE
        )

    def start(self, server: Server) -> dict[str, Any]:
        response = wire.post_json(server.port, "/start-task", {"task": "report", "kwargs": {"gate": str(self.gate)}})
        assert response.status == 202, response
        return response.json()

    def watch(self, server: Server, headers: wire.Headers | None = None) -> list[dict[str, Any]]:
        """Start the task and watch it: it ends only after a viewer has seen it half done."""
        with wire.EventStream(server.port, self.start(server)["progress_url"], headers) as stream:
            assert stream.head.status == 200
            stream.read_status("Half")
            self.gate.touch()
            return [event.json() for event in stream.read_all()]


@pytest.fixture
def make_project(tmp_path) -> Callable[..., Project]:
    def make(*settings: str) -> Project:
        return make_project_in(tmp_path, *settings)

    return make


def make_project_in(folder: Path, *settings: str) -> Project:
    call_command("startproject", "shop", str(folder))
    project = Project(folder)
    project.add("tasks", TASKS)
    project.add("urls", URLS)
    project.add("settings", "".join([SETTINGS, *settings]))
    return project


def run_server(project: Project) -> Any:
    """Run the untouched `asgi.py` of a project."""
    return run_daphne("shop.asgi:application", env=project.env, cwd=project.folder)


@pytest.mark.parametrize(
    "settings",
    [(), (ATOMIC,), (GZIP, LOGIN), (ATOMIC, GZIP)],
    ids=[
        "as startproject made it",
        "ATOMIC_REQUESTS on two databases",
        "GZipMiddleware and LoginRequiredMiddleware",
        "ATOMIC_REQUESTS and GZipMiddleware",
    ],
)
def test_task_is_started_and_watched_to_its_end_without_any_migration(make_project, settings):
    project = make_project(ANONYMOUS, *settings)
    with run_server(project) as server:
        snapshots = project.watch(server, [("Accept-Encoding", "gzip, deflate, br")])
    assert (snapshots[-1]["progress"], snapshots[-1]["result"]) == (100, "the report")
    assert find_errors("".join(server.output)) == []


def test_anonymous_start_is_refused_unless_allowed(make_project):
    project = make_project()
    with run_server(project) as server:
        response = wire.post_json(server.port, "/start-task", {"task": "report", "kwargs": {"gate": "x"}})
        assert (response.status, response.head.get("content-type")) == (401, "application/problem+json")
        assert wire.send(server.port, "POST", "/start-task").status in (400, 401)


def find_message_ids(output: str) -> list[str]:
    return sorted(re.findall(r"\((\w+\.[EW]\d+)\)", output))


def test_check_warns_of_the_small_cache_of_wsgi_and_of_unserved_scripts_and_of_nothing_else(make_project):
    done = make_project().manage("check")
    expected = ["tasks_app.W001", "tasks_app.W002", "tasks_app.W010"]
    assert (done.returncode, find_message_ids(done.stderr)) == (0, expected)
    assert done.stderr.count("HINT:") == 3


def test_check_is_silent_once_the_hints_are_followed(make_project):
    project = make_project(
        'CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", '
        '"OPTIONS": {"MAX_ENTRIES": 10_000}}}\n',
        'INSTALLED_APPS.insert(0, "daphne")\nASGI_APPLICATION = "shop.asgi.application"\n',
    )
    done = project.manage("check", "--fail-level", "WARNING")
    assert (done.returncode, done.stdout) == (0, "System check identified no issues (0 silenced).\n"), done.stderr


def test_check_warns_of_gzip_where_it_breaks_streams(make_project):
    found = find_message_ids(make_project(GZIP).manage("check").stderr)
    assert ("tasks_app.W003" in found) == (django.VERSION < (6,))


def test_app_asks_for_no_migration(make_project):
    done = make_project().manage("makemigrations", "--check", "--dry-run")
    assert (done.returncode, done.stdout) == (0, "No changes detected\n"), done.stderr


@pytest.fixture(scope="module")
def wsgi_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project = make_project_in(tmp_path_factory.mktemp("wsgi"), ANONYMOUS)
    with run_runserver(env=project.env, cwd=project.folder) as server:
        yield server


@pytest.fixture
def wsgi(wsgi_server: Server, tmp_path: Path) -> tuple[Project, Server]:
    """A project with a gate of its own, and the server that all tests of it share."""
    return Project(tmp_path), wsgi_server


def test_stream_of_a_wsgi_server_answers_501_and_names_the_fix(wsgi):
    project, server = wsgi
    project.gate.touch()
    task_id = project.start(server)["task_id"]
    for target in (f"/task-progress/{task_id}", f"/task-progress?task={task_id}"):
        response = wire.send(server.port, "GET", target)
        assert (response.status, response.head.get("content-type")) == (501, "application/problem+json")
        assert "daphne" in response.json()["detail"]


def test_task_is_started_polled_and_cancelled_on_a_wsgi_server(wsgi):
    project, server = wsgi
    started = project.start(server)

    def poll() -> dict[str, Any]:
        return wire.send(server.port, "GET", started["status_url"]).json()

    wait_until(lambda: poll()["status"] == "Half", "the task is half done")
    assert wire.send(server.port, "POST", f"{started['cancel_url']}?token={started['token']}").status == 202
    wait_until(lambda: poll()["state"] == "cancelled", "the task was cancelled")


def test_task_ends_on_a_wsgi_server(wsgi):
    project, server = wsgi
    project.gate.touch()
    url = project.start(server)["status_url"]
    wait_until(lambda: wire.send(server.port, "GET", url).json()["progress"] == 100, "the task succeeded")
