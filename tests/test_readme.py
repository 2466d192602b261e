"""Every example in README and the documents runs, as it stands there."""

import json
import logging.config
import os
import subprocess
import sys
import types
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django
import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.base import BaseHandler
from django.db import connections, transaction
from django.http import HttpRequest
from django.test import AsyncRequestFactory

from tasks_app import get_snapshot, task_run
from tasks_app.store.store import get_store
from tests.support.projects import (
    allow_anonymous_start,
    append,
    find_warnings,
    make_project,
    make_shop,
    paste,
    run_to_the_end,
)
from tests.support.readme import find_block
from tests.support.servers import ROOT, run_celery, run_runserver
from tests.support.valkey import ValkeyServer
from tests.support.waiting import DEADLINE, wait_until


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project from `startproject`, to which only what README says was added, and a task that it shows."""
    return make_shop(tmp_path)


@pytest.fixture
def wrapped_shop(shop: Path) -> Path:
    """The same, in the wrapper."""
    append(shop / "mysite" / "asgi.py", find_block("python", "wrap(application)"))
    return shop


@pytest.mark.parametrize("project", ["shop", "wrapped_shop"])
def test_site_made_as_readme_says_runs_its_example_task_to_the_end(project: str, request: pytest.FixtureRequest):
    shop = request.getfixturevalue(project)
    env = {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "mysite.settings"}
    last = run_to_the_end(shop, env, with_token=project == "wrapped_shop")
    assert (last["state"], last["result"], last["unit"]) == ("succeeded", {"imported": 250}, "rows")


def test_site_made_as_readme_says_serves_its_script_with_runserver_and_hears_no_warning(shop: Path):
    env = {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "mysite.settings"}
    assert find_warnings(shop, env) == ["tasks_app.W001"]  # of which README speaks
    with run_runserver(env=env, cwd=shop) as server:
        script = urllib.request.urlopen(f"{server.url}/static/tasks_app/task-progress-define.js", timeout=DEADLINE)
        with script:
            assert script.status == 200


@pytest.fixture
def celery_shop(tmp_path: Path) -> Iterator[Path]:
    """A project that has Celery, to which only what the page of Celery says was added, beside its server."""
    make_project(tmp_path)
    append(tmp_path / "mysite" / "settings.py", 'INSTALLED_APPS += ["shop"]\n')
    paste(tmp_path, find_block("python", "@shared_task"))
    with ValkeyServer() as valkey:
        for block in (find_block("python", "CELERY_BROKER_URL"), find_block("python", "tasks_app.contrib.celery")):
            paste(tmp_path, block.replace("redis://localhost:6379", valkey.connection_url))
        yield tmp_path


@pytest.mark.slow
def test_site_with_celery_made_as_its_page_says_hears_no_warning_and_runs_a_task_to_the_end(celery_shop: Path):
    env = {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "mysite.settings"}
    assert find_warnings(celery_shop, env) == []
    # Only so that the test can start it over HTTP.
    append(celery_shop / "mysite" / "settings.py", 'TASKS_APP = {"STARTABLE": {"import": "shop.tasks.import_file"}}\n')
    allow_anonymous_start(celery_shop)
    with run_celery("--concurrency=1", env=env, app="mysite", cwd=celery_shop):
        last = run_to_the_end(celery_shop, env)
    assert (last["state"], last["result"], last["unit"]) == ("succeeded", 250, "rows")


@pytest.fixture
def upload(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The view that starts a task for its user."""
    shop_tasks: Any = types.ModuleType("shop.tasks")
    exec(find_block("python", "def import_rows") + "\nread = range\ndef save(row): pass", shop_tasks.__dict__)
    monkeypatch.setitem(sys.modules, "shop", types.ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.tasks", shop_tasks)

    async def save_upload(file: object) -> object:
        return types.SimpleNamespace(pk=5)

    namespace: dict[str, Any] = {"save_upload": save_upload}
    exec(find_block("python", "async def upload"), namespace)
    return namespace["upload"]


def make_upload() -> HttpRequest:
    """Return the request of a user who uploads a file."""

    async def get_user() -> object:
        return User(pk=7)

    request = AsyncRequestFactory().post("/upload", {"file": SimpleUploadedFile("rows.csv", b"1")})
    request.auser = get_user
    return request


async def test_view_that_starts_a_task_for_its_user(upload: Callable[..., Any]):
    answer = json.loads((await upload(make_upload())).content)
    task_id = answer["progress_url"].rpartition("/")[2]
    assert get_snapshot(task_id).owner == "7"


def test_batch_shows_its_calls_as_one(upload: Callable[..., Any]):
    namespace: dict[str, Any] = {}
    exec(find_block("python", "start_batch"), namespace)
    task_id = namespace["import_all"]([1, 2, 3], 7)
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the batch ended")
    ended = get_snapshot(task_id)
    assert (ended.state, ended.owner, ended.label, ended.children["total"]) == ("succeeded", "7", "All uploads", 3)


@pytest.mark.parametrize("alias", ["default", "reports"])
async def test_view_that_starts_a_task_works_where_requests_are_atomic(upload, alias: str, monkeypatch):
    monkeypatch.setitem(connections.settings, "reports", connections.settings["default"].copy())
    monkeypatch.setitem(connections.settings[alias], "ATOMIC_REQUESTS", True)
    if alias != "default":
        upload = transaction.non_atomic_requests(using=alias)(upload)
    view = BaseHandler().make_view_atomic(upload)
    assert (await view(make_upload())).status_code == 200


def test_policy_names_clients():
    namespace: dict[str, Any] = {}
    exec(find_block("python", "mysite/clients.py"), namespace)
    request = AsyncRequestFactory().get("/")
    policy = namespace["MyPolicy"]()
    assert policy.identify(request) == "address:127.0.0.1"
    request.account = User(pk=7)
    assert policy.identify(request) == "account 7"


def test_job_is_recorded(upload: Callable[..., Any]):
    namespace: dict[str, Any] = {}
    exec(find_block("python", "tasks_app.testing"), namespace)
    namespace["test_import_counts_its_rows"]()


@pytest.mark.slow
def test_test_of_the_documents_passes_with_their_settings_and_without_a_warning(shop: Path):
    for block in (find_block("python", "mysite/test_settings.py"), find_block("python", "shop/tests.py")):
        paste(shop, block if django.VERSION >= (6,) else block.replace('"django.tasks', '"django_tasks'))
    command = [sys.executable, "manage.py", "test", "--settings", "mysite.test_settings"]
    env = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=shop, env={**os.environ, **env}, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert "\nOK\n" in said
    assert "no issues (1 silenced)" in said
    assert "nothing seems to serve" not in said


def test_code_that_is_no_task_is_tracked():
    namespace: dict[str, Any] = {}
    exec(find_block("python", "nightly-import"), namespace)
    snapshot = get_snapshot(namespace["progress"].task_id)
    assert (snapshot.task, snapshot.state, snapshot.current) == ("nightly-import", "succeeded", 3)


def test_what_a_task_logs_is_in_its_log():
    namespace: dict[str, Any] = {}
    exec(find_block("python", "tasks_app.LogHandler"), namespace)
    logging.config.dictConfig(namespace["LOGGING"])
    logger = logging.getLogger("shop")
    try:
        with task_run("import") as progress:
            logger.warning("Skipped %s row", "a")
    finally:
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
    wait_until(lambda: get_snapshot(progress.task_id).is_terminal, "the run ended")
    (page,) = get_store().read_pages([(progress.task_id, 0)]).values()
    assert [(line["level"], line["text"]) for line in json.loads(page)["lines"]] == [("warning", "Skipped a row")]


def test_calls_in_a_pool_count_as_they_come():
    module = types.ModuleType("example")
    exec(find_block("python", "ThreadPoolExecutor"), vars(module))
    with task_run("gallery") as progress:
        assert module.gallery([10, 20, 30]) == [10, 20, 30]
    snapshot = get_snapshot(progress.task_id)
    assert (snapshot.current, snapshot.total, snapshot.unit) == (3, 3, "pictures")


def test_bars_of_tqdm_are_shown_and_write_nothing(capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("tqdm", reason="tqdm of requirements.txt is not installed")
    namespace: dict[str, Any] = {}
    exec(find_block("python", "from tqdm import tqdm"), namespace)
    with task_run("train") as progress:
        namespace["train_with_progress"](3)
    wait_until(lambda: get_snapshot(progress.task_id).is_terminal, "the run ended")
    snapshot = get_snapshot(progress.task_id)
    assert (snapshot.current, snapshot.total, snapshot.unit) == (3, 3, "epochs")
    assert capsys.readouterr().err == ""


def test_stages_fill_their_share_of_the_whole():
    namespace: dict[str, Any] = {}
    exec(find_block("python", "def report"), namespace)
    with task_run("report") as progress:
        namespace["report"]()
    wait_until(lambda: get_snapshot(progress.task_id).is_terminal, "the run ended")
    stages = get_snapshot(progress.task_id).stages
    assert [(stage.name, stage.percent, stage.state) for stage in stages] == [
        ("Download", 100, "succeeded"),
        ("Parse", 100, "succeeded"),
    ]
