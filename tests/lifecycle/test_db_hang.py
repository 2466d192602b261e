"""Tasks of a `db_worker` while the cache hangs, and their database does not: no task waits for the cache."""

from pathlib import Path

import pytest

from tests.support.db_site import run_site
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

#: Far from how long the cache lets whoever asks it wait.
SOON = 2.0


@pytest.mark.parametrize("timeout", ["5", "null"])
def test_tasks_do_not_wait_for_a_cache_that_hangs_and_are_shown_when_it_is_back(tmp_path: Path, timeout: str):
    with ValkeyServer() as cache, run_site(tmp_path, cache.connection_url) as site:
        first = site.enqueue("puppet", {"orders": str(site.make_orders("first"))})
        path = tmp_path / "notes"
        rest = [site.enqueue("note", {"path": str(path), "text": "x"}) for _ in range(4)]
        with site.run_worker(CACHE_OPTIONS=f'{{"socket_timeout": {timeout}}}'):
            site.wait_for(first, "running")
            cache.halt()
            site.make_orders("first").give_return("done")
            wait_until(lambda: path.exists() and path.read_text() == "x\n" * 4, "all ran")
            cache.resume()
            assert site.wait_for(first, "succeeded")["result"] == "done"
            wait_until(lambda: len(site.query_times()) == 5, "all have ended")
            assert sorted(site.query_times())[3] < SOON  # the longest is that of the first, which the test had wait
            for task_id in rest:
                site.wait_for(task_id, "succeeded")


def test_tasks_enqueued_while_the_cache_hangs_are_known_before_a_worker_begins_them(tmp_path: Path):
    with ValkeyServer() as cache, run_site(tmp_path, cache.connection_url) as site:
        cache.halt()
        tasks = [site.enqueue("note", {"path": str(tmp_path / "notes"), "text": "x"}) for _ in range(3)]
        cache.resume()
        for task_id in tasks:
            site.wait_for(task_id, "queued")
