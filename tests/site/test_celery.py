"""The demo site with its tasks in a Celery worker, on a real Valkey server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.site.test_site import (
    SECRET_KEY,
    SETTINGS,
    Site,
    cancel,
    follow,
    get_task,
    manage,
    run_site,
    start_simulation,
    wait_for_state,
)
from tests.support.servers import run_celery
from tests.support.valkey import ValkeyServer
from tests.support.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.slow

PROFILE = {"DJANGO_PROFILE": "celery", "DJANGO_SECRET_KEY": SECRET_KEY}


@pytest.fixture(scope="module")
def env() -> Iterator[dict[str, str]]:
    """What the site and its worker have in their environment."""
    with ValkeyServer() as server:
        url = server.connection_url
        yield PROFILE | {"DJANGO_REDIS_URL": f"{url}/1", "DJANGO_BROKER_URL": url}


@pytest.fixture(scope="module")
def site(env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site, and a worker beside it."""
    folder: Path = tmp_path_factory.mktemp("site")
    with run_site(folder, **env) as site:
        data = {"DJANGO_DATABASE": str(site.database), "DJANGO_MEDIA_ROOT": str(site.uploads.parent)}
        with run_celery("--concurrency=2", env=SETTINGS | env | data, app="progress_site"):
            yield site


def test_simulation_in_a_worker_is_followed_to_its_end(site: Site):
    snapshots = follow(site.url + start_simulation(site, duration=1)["progress_url"])
    assert (snapshots[-1]["state"], snapshots[-1]["status"]) == ("succeeded", "Task completed!")
    assert len({snapshot["progress"] for snapshot in snapshots}) > 5


@pytest.mark.parametrize(
    ("task", "kwargs", "state"),
    [
        ("import_sample", {"rows": 300}, "succeeded"),
        ("train_model", {"duration": 0.1}, "failed"),
        ("archive_photos", {"duration": 0.1}, "succeeded"),
        ("scan_folders", {"duration": 0.1}, "succeeded"),
        ("write_report", {"duration": 0.1}, "succeeded"),
        ("develop_photos", {"photos": 3, "duration": 0.1}, "succeeded"),
    ],
)
def test_example_in_a_worker_ends_as_its_page_says(site: Site, task: str, kwargs: dict[str, float], state: str):
    body = {"task": task, "kwargs": kwargs}
    answer = requests.post(f"{site.url}/start-task", json=body, timeout=DEADLINE).json()
    assert follow(site.url + answer["progress_url"])[-1]["state"] == state


def test_simulation_in_a_worker_is_cancelled(site: Site):
    task_id = start_simulation(site, duration=3600)["task_id"]
    wait_for_state(site, task_id, "running")
    cancel(site, task_id)
    wait_for_state(site, task_id, "cancelled")


def test_file_is_imported_by_a_worker_and_then_deleted(site: Site):
    files = {"file": ("rows.csv", b"name,email,amount,joined\nAda,ada@example.com,1,2024-01-01\n")}
    headers = {"Accept": "application/json"}
    answer = requests.post(f"{site.url}/import-csv", files=files, headers=headers, timeout=DEADLINE).json()
    wait_for_state(site, answer["task_id"], "succeeded")
    assert get_task(site, answer["task_id"])["task"] == answer["task"] == "progress_site.celery_tasks.import_csv"
    wait_until(lambda: not list(site.uploads.iterdir()), "the file is deleted")


def test_project_has_nothing_to_complain_of(env: dict[str, str]):
    manage("check", "--fail-level", "WARNING", env=env)


def test_profile_without_a_broker_says_what_to_set():
    with pytest.raises(AssertionError, match="DJANGO_PROFILE=celery needs DJANGO_REDIS_URL"):
        manage("check", env=PROFILE)
