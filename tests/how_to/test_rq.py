"""Projects that run their tasks by RQ as the document says."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks_app import get_snapshot
from tests.support.projects import ENV, find_warnings, make_shop, paste, run_here, run_to_the_end
from tests.support.queue_jobs import shared_cache
from tests.support.readme import find_block
from tests.support.servers import run_command
from tests.support.valkey import ValkeyServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("django_tasks_rq") is None, reason="django-tasks-rq is not installed"),
]

#: Sends a job by RQ itself, and prints the id of its task.
SEND = "import django; django.setup(); from shop.rq_jobs import send_report; print(send_report(None), end='')"


@pytest.fixture(scope="module")
def valkey_url() -> Iterator[str]:
    with ValkeyServer() as server:
        yield server.connection_url


@pytest.fixture(scope="module")
def shop(valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_shop(tmp_path_factory.mktemp("rq"))
    paste(folder, find_block("python", "RQ_QUEUES").replace("redis://localhost:6379", valkey_url))
    paste(folder, find_block("python", "django_rq.enqueue"))
    return folder


def test_project_hears_no_warning(shop: Path):
    assert find_warnings(shop, ENV) == []


def test_example_task_runs_to_its_end(shop: Path):
    with run_command([sys.executable, *find_block("sh", "rqworker").split()[1:]], env=ENV, cwd=shop):
        last = run_to_the_end(shop, ENV)
    assert (last["state"], last["result"], last["unit"]) == ("succeeded", {"imported": 250}, "rows")


def test_job_that_rq_itself_runs_is_tracked(shop: Path, valkey_url: str):
    task_id = run_here(shop, "-c", SEND)
    with shared_cache(f"{valkey_url}/1"):
        assert get_snapshot(task_id).state == "queued"
        run_here(shop, "manage.py", "rqworker", "--burst")
        ended = get_snapshot(task_id)
    assert (ended.task, ended.state, ended.current, ended.unit) == ("report", "succeeded", 12, "months")
