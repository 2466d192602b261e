"""The demo site as a person runs it first: `manage.py runserver`, before any migration, ended by Ctrl-C."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import wire
from tests.support.servers import Server, run_runserver
from tests.support.waiting import DEADLINE, wait_until

#: How long the tasks go on that run when Ctrl-C is pressed: much longer than the test waits for the end.
LONG = 10 * DEADLINE


@pytest.fixture
def env(tmp_path) -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": "progress_site.settings", "DJANGO_DATABASE": str(tmp_path / "none.sqlite3")}


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.slow)], ids=["noreload", "autoreload"])
def server(request, env) -> Iterator[Server]:
    with run_runserver(env=env, reloads=request.param) as server:
        yield server


def press_ctrl_c(server: Server) -> None:
    """Do what the terminal does: send SIGINT to every process of the group, and wait until all are gone."""
    os.killpg(server.process.pid, signal.SIGINT)
    server.process.wait(DEADLINE)
    wait_until(lambda: not has_members(server.process.pid), "every process of the group is gone")


def has_members(group: int) -> bool:
    return any(_read_group(stat) == group for stat in Path("/proc").glob("[0-9]*/stat"))


def _read_group(stat: Path) -> int | None:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[2])
    except (FileNotFoundError, ProcessLookupError):  # it has ended in the meantime
        return None


def test_default_task_runs_to_100_before_any_migration(env):
    with run_runserver(env=env) as server:
        started = wire.post_json(server.port, "/start-task", {"task": "simulate", "kwargs": {"duration": 0.3}}).json()
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
        path = f"{started['cancel_url']}?token={started['token']}"
        assert wire.send(server.port, "POST", path).status == 202


def test_ctrl_c_ends_it_and_waits_for_neither_open_streams_nor_running_tasks(server):
    body = {"task": "simulate", "kwargs": {"duration": LONG}}
    targets = [wire.post_json(server.port, "/start-task", body).json()["progress_url"] for _ in range(5)]
    with wire.open_streams(server.port, targets * 4):
        press_ctrl_c(server)
    assert "Traceback" not in "".join(server.output), server.output
