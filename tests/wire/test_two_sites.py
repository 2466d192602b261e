"""Two web processes with one store: behind a real nginx, restarted one after the other, and killed."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.test import override_settings

from clients.client import follow, open_session
from tasks_app import make_token
from tests.site.test_site import SECRET_KEY, SETTINGS
from tests.support import wire
from tests.support.nginx import Proxy, needs_nginx, run_nginx
from tests.support.servers import Server, find_free_port, run_daphne
from tests.support.valkey import ValkeyServer
from tests.support.viewers import until
from tests.support.waiting import DEADLINE
from tests.wakeups.test_channel_layer import end, report, run_worker

pytestmark = pytest.mark.slow

VIEWERS = 60


@pytest.fixture
def valkey() -> Iterator[str]:
    """The URL of a Valkey server."""
    with ValkeyServer() as server:
        yield server.connection_url


@pytest.fixture
def env(valkey: str) -> dict[str, str]:
    """The environment of the demo site with this server."""
    return SETTINGS | {"DJANGO_PROFILE": "redis", "DJANGO_REDIS_URL": valkey, "DJANGO_SECRET_KEY": SECRET_KEY}


class Process:
    """A web process of the demo site, which can be stopped and started again on its port."""

    def __init__(self, env: dict[str, str]) -> None:
        self.port = find_free_port()
        self._env = env
        self._stack = ExitStack()

    def start(self) -> None:
        self._stack.enter_context(run_daphne("progress_site.asgi:application", env=self._env, port=self.port))

    def stop(self) -> None:
        self._stack.close()


@contextmanager
def run_pair(env: dict[str, str], folder: Any) -> Iterator[tuple[Proxy, Process, Process]]:
    """Run two web processes, and nginx before them."""
    one, other = Process(env), Process(env)
    try:
        one.start()
        other.start()
        with run_nginx(folder, one.port, other.port) as proxy:
            yield proxy, one, other
    finally:
        one.stop()
        other.stop()


@needs_nginx
def test_viewers_of_both_processes_follow_the_tasks_of_both(env, tmp_path):
    with run_pair(env, tmp_path) as (proxy, one, other):
        ports = [one.port, other.port, proxy.port, proxy.port]
        tasks = [wire.start_task(port, "simulate", duration=1) for port in ports]
        for port in ports:
            for task_id in tasks:
                with wire.EventStream(port, f"/task-progress/{task_id}") as stream:
                    assert stream.read_all()[-1].json()["state"] == "succeeded"


@needs_nginx
async def test_no_viewer_misses_the_end_when_both_processes_are_restarted_in_turn(env, tmp_path):
    with ExitStack() as stack:
        proxy, one, other = stack.enter_context(run_pair(env, tmp_path))
        workers = [stack.enter_context(run_worker(env)) for _ in range(4)]
        tasks = [worker.stdout.readline().strip() for worker in workers]
        for worker in workers:
            report(worker, current=1, total=4, status="one")
        urls = [f"{proxy.url}/task-progress/{task_id}?token={make_site_token(task_id)}" for task_id in tasks]
        viewers = [Viewer(urls[number % 4]) for number in range(VIEWERS)]
        async with open_session() as session, asyncio.timeout(150), asyncio.TaskGroup() as following:
            for viewer in viewers:
                following.create_task(viewer.follow(session))
            await wait_for(viewers, lambda viewer: viewer.seen, "every viewer sees its task")
            await restart(one, workers[0])
            await restart(other, workers[1])
            for worker in workers[2:]:
                report(worker, current=2, total=4, status="two")
            still_waiting = [viewer for number, viewer in enumerate(viewers) if number % 4 >= 2]
            await wait_for(still_waiting, lambda viewer: "two" in viewer.seen, "every viewer is back")
            end(workers[2])
            end(workers[3])
        assert [viewer.seen[-1] for viewer in viewers] == ["succeeded"] * VIEWERS
        # Half of the viewers had a task that outlived both processes, and so came back at least once.
        assert len(proxy.read_requests()) >= VIEWERS * 3 / 2


def make_site_token(task_id: str) -> str:
    """Return a token of the site: what its workers run has no owner."""
    with override_settings(SECRET_KEY=SECRET_KEY):
        return make_token(task_id)


class Viewer:
    """One who follows a task with the client; `seen` is the status of each snapshot, at last the state."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[str] = []

    async def follow(self, session: Any) -> None:
        snapshot: dict[str, Any] = {}
        async for snapshot in follow(session, self.url):
            self.seen.append(snapshot["status"])
        self.seen.append(snapshot["state"])


async def wait_for(viewers: list[Viewer], condition: Any, what: str) -> None:
    await until(lambda: all(map(condition, viewers)), what)


async def restart(process: Process, worker: Any) -> None:
    """Stop a web process, have a job end while it is away, and start it again."""
    await asyncio.to_thread(process.stop)
    end(worker)
    await asyncio.to_thread(process.start)


# --- a web process that is killed ---


@pytest.fixture
def shared_env(valkey: str) -> dict[str, str]:
    """The environment of a project with short times."""
    times = {"HEARTBEAT": 0.2, "STALLED_AFTER": 1.5, "LOST_AFTER": 4, "SWEEP_INTERVAL": 0.2}
    return {
        "DJANGO_SETTINGS_MODULE": "tests.support.shared_settings",
        "VALKEY_URL": valkey,
        "SHARED_TASKS_APP": json.dumps(times),
    }


@pytest.fixture
def servers(shared_env: dict[str, str]) -> Iterator[tuple[Server, Server]]:
    with run_daphne(env=shared_env) as one, run_daphne(env=shared_env) as other:
        yield one, other


def test_tasks_of_a_web_process_that_is_killed_stall_and_are_lost_for_viewers_of_another(servers):
    one, other = servers
    tasks = [wire.start_task(one.port, "wait") for _ in range(6)]  # four run, two wait
    with wire.open_streams(other.port, [f"/task-progress/{task_id}" for task_id in tasks]) as streams:
        one.process.kill()
        one.process.wait(DEADLINE)
        for stream in streams:
            stalled = stream.read_until(lambda event: event.json()["stalled"]).json()
            assert stalled["state"] in ("queued", "running")
            last = stream.read_all()[-1]
            assert (last.type, last.json()["state"]) == ("end", "lost")
