"""The commands about tasks that run in another process, with a real Valkey server between them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.scripts import get_only_line, open_terminal, run_script, start_script
from tests.support.servers import ROOT, find_free_port
from tests.support.valkey import ValkeyServer
from tests.support.waiting import DEADLINE


@pytest.fixture(scope="module")
def env() -> Iterator[dict[str, str]]:
    """The environment of processes that share a cache."""
    with ValkeyServer() as server:
        yield make_env(server.connection_url)


def make_env(url: str) -> dict[str, str]:
    settings = "tests.support.shared_settings"
    return {"DJANGO_SETTINGS_MODULE": settings, "VALKEY_URL": url, "SWEEP_INTERVAL": "0.05"}


class Job:
    """A job in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input = process.stdin
        self.task_id = process.stdout.readline().strip()

    def do(self, **order: Any) -> None:
        """Have the job do what `tests.support.worker` says."""
        self._input.write(json.dumps(order) + "\n")
        self._input.flush()

    def succeed(self) -> None:
        self._input.close()


@contextmanager
def run_job(env: dict[str, str]) -> Iterator[Job]:
    command = [sys.executable, "-m", "tests.support.worker"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, text=True, **pipes) as process:
        try:
            yield Job(process)
        finally:
            process.kill()


def read_until(process: "subprocess.Popen[str]", line: str) -> list[str]:
    """Return the lines that a process prints, up to this one."""
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    while lines[-1] != line:
        assert lines[-1], f"the process ended: {process.communicate()!r}"
        lines.append(process.stdout.readline())
    return lines


def test_job_elsewhere_is_shown_with_its_log_until_it_has_ended(env: dict[str, str]):
    with run_job(env) as job:
        job.do(current=1, total=4, status="Loading", log="opened")
        with start_script("watch_task", "--logs", job.task_id, **env) as process:
            lines = read_until(process, " 25%  Loading\n")
            job.do(current=3, log="almost")
            lines += read_until(process, " 75%  Loading\n")
            job.do(log="closed")
            job.succeed()
            output, errors = process.communicate(timeout=DEADLINE)
    lines += output.splitlines(keepends=True)
    assert lines[0] == f"Task {job.task_id}: remote\n"
    assert [line.split()[-1] for line in lines if " info " in line] == ["opened", "almost", "closed"]
    assert lines[-1].startswith("100%  Done")
    assert (process.returncode, errors) == (0, "")


def test_ctrl_c_ends_the_watching_alone_and_quietly(env: dict[str, str]):
    with run_job(env) as job, start_script("watch_task", job.task_id, **env) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=DEADLINE)
        job.succeed()
        watched = run_script("watch_task", "--quiet", job.task_id, **env)
    assert (process.returncode, errors) == (130, "")
    assert output.splitlines()[-1] == f"Task {job.task_id} runs on."
    assert (watched.returncode, watched.stdout, watched.stderr) == (0, "", "")


def test_job_elsewhere_is_cancelled(env: dict[str, str]):
    with run_job(env) as job:
        job.do(await_cancel=True)
        cancelled = run_script("cancel_task", job.task_id, **env)
        watched = run_script("watch_task", "--quiet", job.task_id, **env)
    assert (cancelled.returncode, cancelled.stdout) == (0, f"Task {job.task_id} was asked to stop.\n")
    assert (watched.returncode, watched.stdout) == (1, "")
    assert get_only_line(watched.stderr).startswith("CommandError: The task ended as 'cancelled'")


@pytest.mark.slow
def test_unknown_task_is_an_error_that_says_how_long_tasks_are_known(env: dict[str, str]):
    done = run_script("watch_task", "unknown", **env)
    expected = "CommandError: No task 'unknown' is known. A task is forgotten 3600 s after its end (RETENTION)."
    assert (done.returncode, get_only_line(done.stderr)) == (3, expected)


@pytest.mark.slow
@pytest.mark.parametrize("command", [["watch_task", "any", "--timeout", "0"], ["list_tasks"], ["cancel_task", "any"]])
def test_cache_that_can_not_be_reached_is_an_error_of_one_line(command: list[str]):
    done = run_script(*command, **make_env(f"redis://127.0.0.1:{find_free_port()}"))
    assert done.returncode == 3
    assert "the cache failed: ConnectionError: " in get_only_line(done.stderr)


@pytest.mark.slow
def test_cache_that_was_emptied_is_waited_for_until_it_has_the_task_again(env: dict[str, str]):
    code = "import django; django.setup(); from django.core.cache import cache; cache.clear()"
    with run_job(env) as job:
        job.do(current=1, total=4, status="Loading")
        with start_script("watch_task", job.task_id, **env) as process:
            while "Loading" not in process.stdout.readline():
                pass
            subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **env}, check=True)
            while "Reconnecting… the cache no longer has the task" not in process.stdout.readline():
                pass
            job.do(current=2)
            job.succeed()
            output, errors = process.communicate(timeout=DEADLINE)
    assert output.splitlines()[-1].startswith("100%  Done")
    assert (process.returncode, errors) == (0, "")


@pytest.mark.slow
def test_list_that_nobody_reads_ends_quietly(env: dict[str, str]):
    with run_job(env), start_script("list_tasks", **env) as process:
        process.stdout.close()
        assert (process.stderr.read(), process.wait(DEADLINE)) == ("", 141)


@pytest.mark.slow
def test_terminal_shows_a_bar(env: dict[str, str]):
    with run_job(env) as job:
        job.do(current=1, total=4, status="Loading", unit="rows")
        with open_terminal("watch_task", job.task_id, **env) as terminal:
            terminal.wait_for("1 / 4 rows")
            job.succeed()
            assert terminal.wait() == 0
    assert " 25% ━━━" in terminal.output


@pytest.mark.slow
def test_terminal_without_rich_shows_lines(env: dict[str, str], tmp_path: Path):
    (tmp_path / "rich.py").write_text("raise ImportError('not installed')")
    with run_job(env) as job:
        job.do(current=1, total=4, status="Loading")
        with open_terminal("watch_task", job.task_id, **env, PYTHONPATH=str(tmp_path)) as terminal:
            terminal.wait_for(" 25%  Loading")
            job.succeed()
            assert terminal.wait() == 0
    assert "━" not in terminal.output
