"""A cache server that comes back empty, while tasks wait and run in other processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache.backends.redis import RedisCache
from redis import Redis

from tasks_app.store.store import Store
from tests.support.db_site import Orders, Site, run_python, run_site
from tests.support.valkey import ValkeyServer
from tests.support.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.slow

TIMES = {"HEARTBEAT": 0.3, "STALLED_AFTER": 1, "LOST_AFTER": 2, "SWEEP_INTERVAL": 0.2}


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("emptied")
    with run_site(folder, valkey.connection_url, **TIMES) as running:
        yield running


@pytest.fixture
def queue(request: pytest.FixtureRequest) -> str:
    """The name of a queue that only this test uses."""
    return str(request.node.name)[-32:]


@pytest.fixture
def orders(site: Site, queue: str) -> Orders:
    return site.make_orders(queue)


def empty(valkey: ValkeyServer) -> None:
    with Redis.from_url(valkey.connection_url) as client:
        client.flushall()


def is_listed(valkey: ValkeyServer, task_id: str) -> bool:
    return task_id in Store(lambda: RedisCache(valkey.connection_url, {})).find_recent()


def test_waiting_task_whose_sender_lives_is_known_and_listed_again(site, valkey, queue, orders):
    task_id = site.enqueue("puppet", {"orders": str(orders)}, using={"queue_name": queue})
    with site.open(task_id) as stream:
        before = stream.read_status("Queued")
        empty(valkey)
        wait_until(lambda: is_listed(valkey, task_id), "it is listed again")
        assert site.get(task_id).json() == before
        orders.give_return(42)
        with site.run_worker("--queue-name", queue):
            assert stream.read_until(lambda event: event.type == "end").json()["result"] == 42


def send_from_elsewhere(site: Site, queue: str, orders: Path) -> str:
    """Have a process that then ends enqueue a task, and return its id."""
    code = (
        "import django; django.setup()\n"
        "from tests.support.db_jobs import puppet\n"
        f"print(puppet.using(queue_name={queue!r}).enqueue(orders={str(orders)!r}).id)"
    )
    return run_python("-c", code, env=site.env).strip()


def test_viewers_of_a_waiting_task_whose_sender_is_gone_see_it_unknown_and_then_run(site, valkey, queue, orders):
    task_id = send_from_elsewhere(site, queue, orders.path)
    with site.open(task_id) as stream:
        stream.read_status("Queued")
        empty(valkey)
        unknown = stream.read_status("Unknown: the cache has lost it, but it may still begin")
        assert (unknown["state"], unknown["stalled"], unknown["progress"]) == ("queued", True, 0)
        stream.socket.settimeout(2 * TIMES["LOST_AFTER"])
        with pytest.raises(TimeoutError):
            stream.next()
        stream.socket.settimeout(DEADLINE)
        orders.give(status="half", current=1, total=2)
        with site.run_worker("--queue-name", queue):
            assert stream.read_status("half")["state"] == "running"
            orders.give_return(42)
            end = stream.read_until(lambda event: event.type == "end").json()
    assert (end["state"], end["result"]) == ("succeeded", 42)


def test_running_task_is_listed_again(site, valkey, queue, orders):
    task_id = site.enqueue("puppet", {"orders": str(orders)}, using={"queue_name": queue})
    orders.give(status="half", current=1, total=2)
    with site.open(task_id) as stream, site.run_worker("--queue-name", queue):
        stream.read_status("half")
        empty(valkey)
        try:
            wait_until(lambda: is_listed(valkey, task_id), "it is listed again")
            wait_until(lambda: site.get(task_id).json().get("status") == "half", "it is known again")
        finally:
            orders.give_return(42)
