"""The demo site: its page, its simulation and its settings, mostly through a real Daphne."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core import signing
from django.test import override_settings

from progress_site import settings, simulation
from tasks_app import make_token
from tests.support.servers import ROOT, run_daphne
from tests.support.waiting import DEADLINE, wait_until

SECRET_KEY = "a secret key of the tests, long enough that the deployment checks take it for one: 0123456789"
SETTINGS = {"DJANGO_SETTINGS_MODULE": "progress_site.settings"}  # not those of the tests
PRODUCTION = {"DJANGO_DEBUG": "0", "DJANGO_SECRET_KEY": SECRET_KEY, "DJANGO_ALLOWED_HOSTS": "127.0.0.1"}


@dataclass
class Site:
    """A running demo site, and where it keeps its data."""

    url: str
    database: Path
    uploads: Path


@contextmanager
def run_site(folder: Path, *, is_migrated: bool = True, **env: str) -> Iterator[Site]:
    """Run the demo site on Daphne, with its data in `folder`."""
    database, media = folder / "db.sqlite3", folder / "media"
    env = {"DJANGO_SECRET_KEY": SECRET_KEY} | env
    env |= SETTINGS | {"DJANGO_DATABASE": str(database), "DJANGO_MEDIA_ROOT": str(media)}
    if is_migrated:
        manage("migrate", "-v0", env=env)
    with run_daphne("progress_site.asgi:application", env=env) as server:
        yield Site(server.url, database, media / "uploads")


def manage(*args: str, env: Mapping[str, str]) -> str:
    """Run `manage.py`, and return what it prints; an AssertionError holds that where it fails."""
    command = [sys.executable, "manage.py", *args]
    environment = os.environ | SETTINGS | env
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def follow(url: str) -> list[dict[str, Any]]:
    """Return the snapshots of a stream, up to its end."""
    with requests.get(url, stream=True, timeout=DEADLINE) as response:
        assert response.status_code == 200
        lines = list(response.iter_lines(decode_unicode=True))
    end = lines.index("event: end")
    return [json.loads(line[6:]) for line in lines[:end] if line.startswith("data: ")]


def get_task(site: Site, task_id: str) -> dict[str, Any]:
    return requests.get(f"{site.url}/tasks/{task_id}", timeout=DEADLINE).json()


def wait_for_state(site: Site, task_id: str, state: str) -> None:
    wait_until(lambda: get_task(site, task_id)["state"] == state, f"the task is {state}")


def cancel(site: Site, task_id: str) -> None:
    """Cancel a task as who has started it can, whose answer had such a token."""
    with override_settings(SECRET_KEY=SECRET_KEY):
        token = make_token(task_id, scope="control")
    headers = {"Authorization": f"Bearer {token}"}
    response = requests.post(f"{site.url}/tasks/{task_id}/cancel", headers=headers, timeout=DEADLINE)
    assert response.status_code == 202, response.text


def start_simulation(site: Site, **kwargs: float) -> dict[str, Any]:
    body = {"task": "simulate", "kwargs": kwargs}
    response = requests.post(f"{site.url}/start-task", json=body, timeout=DEADLINE)
    assert response.status_code == 202, response.text
    return response.json()


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    with run_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="module")
def production(tmp_path_factory) -> Iterator[Site]:
    origins = {"DJANGO_CORS_ALLOWED_ORIGINS": "https://friend.example"}
    with run_site(tmp_path_factory.mktemp("production"), is_migrated=False, **PRODUCTION, **origins) as running:
        yield running


@pytest.fixture
def unmigrated(tmp_path) -> Iterator[Site]:
    with run_site(tmp_path, is_migrated=False) as running:
        yield running


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "text/html"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("application/json", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/html, application/json;q=0.9", "text/html"),
        ("image/png", "text/html"),
    ],
)
def test_index_answers_the_type_that_the_client_prefers(site, accept, content_type):
    response = requests.get(site.url, headers={"Accept": accept}, timeout=DEADLINE)
    assert response.status_code == 200
    assert response.headers["Content-Type"].partition(";")[0] == content_type
    assert "Accept" in response.headers["Vary"]


def test_index_as_json_has_a_message_that_names_the_endpoints(site):
    answer = requests.get(site.url, headers={"Accept": "application/json"}, timeout=DEADLINE).json()
    assert list(answer) == ["message"]
    assert "POST /start-task" in answer["message"]


def test_head_of_index_has_no_body(site):
    response = requests.head(site.url, timeout=DEADLINE)
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_index_refuses_other_methods(site, method):
    response = requests.request(method, site.url, timeout=DEADLINE)
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("kind", ["site", "production"])
def test_page_needs_nothing_that_its_content_security_policy_forbids(kind, request):
    response = requests.get(request.getfixturevalue(kind).url, timeout=DEADLINE)
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in response.headers["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", response.text) == []


def test_plain_daphne_serves_the_static_files_of_the_page_while_debugging(site):
    files = re.findall(r'"(/static/[^"]+)"', requests.get(site.url, timeout=DEADLINE).text)
    answers = [requests.get(site.url + file, timeout=DEADLINE) for file in files]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert {answer.headers["Content-Type"] for answer in answers} == {"image/svg+xml", "text/css", "text/javascript"}


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/start-task", "content-type,idempotency-key"),
        ("GET", "/task-progress/x", "cache-control,last-event-id"),
    ],
)
def test_preflight_of_any_origin_is_allowed_while_debugging(site, method, path, headers):
    response = ask_preflight(site, "https://stranger.example", method, path, headers)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    allowed = response.headers["Access-Control-Allow-Headers"].replace(" ", "").split(",")
    assert set(headers.split(",")) <= set(allowed)


def test_pages_of_other_origins_may_read_where_a_task_is(site):
    response = requests.get(site.url, headers={"Origin": "https://stranger.example"}, timeout=DEADLINE)
    assert response.headers["Access-Control-Expose-Headers"] == "ETag, Location, Retry-After, Server-Time"


@pytest.mark.parametrize(
    ("origin", "allowed"), [("https://friend.example", "https://friend.example"), ("https://stranger.example", None)]
)
def test_production_allows_the_listed_origins_alone(production, origin, allowed):
    response = ask_preflight(production, origin, "POST", "/start-task", "content-type")
    assert response.headers.get("Access-Control-Allow-Origin") == allowed


@pytest.mark.parametrize(("origin", "status"), [("https://friend.example", 202), ("https://stranger.example", 403)])
def test_pages_of_the_listed_origins_alone_start_tasks(production, origin, status):
    response = requests.post(production.url + "/start-task", headers={"Origin": origin}, timeout=DEADLINE)
    assert response.status_code == status


def test_production_serves_no_static_files_by_itself(production):
    assert requests.get(f"{production.url}/static/tasks_app/task-progress.js", timeout=DEADLINE).status_code == 404


def test_visitor_of_production_holds_some_workers_for_minutes_at_most(production):
    snapshot = follow(production.url + start_simulation(production, duration=3600)["progress_url"])[-1]
    assert snapshot["state"] == "failed"
    body = {"task": "simulate", "kwargs": {"duration": 60}}
    answers = [requests.post(f"{production.url}/start-task", json=body, timeout=DEADLINE) for _ in range(60)]
    started = [answer.json()["task_id"] for answer in answers if answer.status_code == 202]
    try:
        assert len(started) <= 50
        assert {answer.status_code for answer in answers} == {202, 429}
    finally:
        for task_id in started:
            cancel(production, task_id)


def ask_preflight(site: Site, origin: str, method: str, path: str, headers: str) -> requests.Response:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return requests.options(site.url + path, headers={"Origin": origin, **asked}, timeout=DEADLINE)


def test_simulation_says_what_its_progress_stands_for(site):
    snapshots = follow(site.url + start_simulation(site, duration=1)["progress_url"])
    running = [(item["status"], item["percent"]) for item in snapshots if item["state"] == "running" and item["total"]]
    assert running
    assert [status for status, _ in running] == [simulation.describe(percent) for _, percent in running]
    assert (snapshots[-1]["progress"], snapshots[-1]["status"]) == (100, "Task completed!")


def test_simulation_takes_the_time_it_is_given(site):
    snapshots = follow(site.url + start_simulation(site, duration=1)["progress_url"])
    assert 1 <= snapshots[-1]["result"]["seconds"] < 5
    assert 20 <= snapshots[-1]["result"]["steps"] <= 100


def test_simulation_of_an_hour_stops_when_it_is_cancelled(site):
    task_id = start_simulation(site, duration=3600)["task_id"]
    wait_for_state(site, task_id, "running")
    cancel(site, task_id)
    wait_for_state(site, task_id, "cancelled")


def test_simulation_longer_than_allowed_fails(site):
    snapshots = follow(site.url + start_simulation(site, duration=3601)["progress_url"])
    assert snapshots[-1]["error"]["message"] == "duration must be between 0 and 3600 seconds, not 3601"


@pytest.mark.parametrize(
    ("percent", "text"),
    [
        (0, "Processing initial phase..."),
        (29.9, "Processing initial phase..."),
        (30, "Performing main calculations..."),
        (59, "Performing main calculations..."),
        (60, "Finalizing results..."),
        (89, "Finalizing results..."),
        (90, "Completing task..."),
        (99, "Completing task..."),
        (100, "Task completed!"),
    ],
)
def test_simulation_text_changes_at_its_threshold(percent, text):
    assert simulation.describe(percent) == text


def test_import_can_not_be_started_by_name(site):
    body = {"task": "import_csv", "kwargs": {"upload": "../../etc/passwd"}}
    response = requests.post(f"{site.url}/start-task", json=body, timeout=DEADLINE)
    assert response.status_code == 400
    assert response.json()["detail"] == f"Unknown task 'import_csv'; allowed: {sorted(settings.STARTABLE)}."


def test_default_task_runs_without_any_database_whatever_old_cookies_say(unmigrated):
    assert_default_task_runs(unmigrated, cookies={})
    assert_default_task_runs(unmigrated, cookies={"sessionid": "of another site", "csrftoken": "a" * 32})


def test_session_of_a_user_who_has_no_table_is_nobodys(unmigrated):
    user = {"_auth_user_id": "1", "_auth_user_backend": settings.AUTHENTICATION_BACKENDS[0], "_auth_user_hash": "x"}
    session = signing.dumps(user, key=SECRET_KEY, salt="django.contrib.sessions.backends.signed_cookies")
    answer = start_default_task(unmigrated, {"sessionid": session, "csrftoken": "a" * 32})
    wait_for_state(unmigrated, answer["task_id"], "running")
    cancel(unmigrated, answer["task_id"])


def assert_default_task_runs(site: Site, cookies: dict[str, str]) -> None:
    assert requests.get(site.url, cookies=cookies, timeout=DEADLINE).status_code == 200
    task_id = start_default_task(site, cookies)["task_id"]
    wait_until(lambda: get_task(site, task_id)["progress"] > 0, "the task has progress")
    cancel(site, task_id)
    assert not site.database.exists()


def start_default_task(site: Site, cookies: dict[str, str]) -> dict[str, Any]:
    headers = {"X-CSRFToken": cookies["csrftoken"]} if cookies else {}
    response = requests.post(f"{site.url}/start-task", cookies=cookies, headers=headers, timeout=DEADLINE)
    assert response.status_code == 202, response.text
    return response.json()
