"""The demo site as a person runs it first: `manage.py runserver`, before any migration, ended by Ctrl-C."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import wire
from tests.support.servers import Server, run_runserver
from tests.support.waiting import wait_until

#: A person waits no longer for the prompt after Ctrl-C.
SECONDS = 5


@pytest.fixture
def env(tmp_path) -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": "progress_site.settings", "DJANGO_DATABASE": str(tmp_path / "none.sqlite3")}


@pytest.fixture(params=[False, True], ids=["noreload", "autoreload"])
def server(request, env) -> Iterator[Server]:
    with run_runserver(env=env, reloads=request.param) as server:
        yield server


def press_ctrl_c(server: Server) -> None:
    """Do what the terminal does: send SIGINT to every process of the group, and wait until all are gone."""
    os.killpg(server.process.pid, signal.SIGINT)
    server.process.wait(SECONDS)
    wait_until(lambda: not has_members(server.process.pid), "every process of the group is gone", deadline=SECONDS)


def has_members(group: int) -> bool:
    return any(_read_group(stat) == group for stat in Path("/proc").glob("[0-9]*/stat"))


def _read_group(stat: Path) -> int | None:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[2])
    except (FileNotFoundError, ProcessLookupError):  # it has ended in the meantime
        return None


def test_default_task_runs_to_100_before_any_migration(env):
    with run_runserver(env=env) as server:
        body = json.dumps({"task": "simulate", "kwargs": {"duration": 0.3}}).encode()
        started = wire.send(server.port, "POST", "/start-task", [("Content-Type", "application/json")], body).json()
        with wire.EventStream(server.port, started["progress_url"]) as stream:
            snapshots = [event.json() for event in stream.read_all()]
        assert (snapshots[-1]["progress"], snapshots[-1]["status"]) == (100, "Task completed!")
        press_ctrl_c(server)
    log = "".join(server.output)
    assert "Traceback" not in log
    assert "POST /start-task 202" in log, log
    assert f"GET {started['progress_url']} 200" in log, log


def test_empty_body_starts_the_default_task(env):
    with run_runserver(env=env) as server:
        started = wire.send(server.port, "POST", "/start-task").json()
        assert started["task"] == "simulate"
        assert wire.send(server.port, "POST", f"/tasks/{started['task_id']}/cancel").status == 202


def test_ctrl_c_ends_it_at_once_with_open_streams_and_running_tasks(server):
    targets = [wire.send(server.port, "POST", "/start-task").json()["progress_url"] for _ in range(5)]
    with wire.open_streams(server.port, targets * 4):
        press_ctrl_c(server)
    assert "Traceback" not in "".join(server.output), server.output
