"""The same streams behind hypercorn, granian and gunicorn, which wait for open connections when they are stopped."""

import signal
from pathlib import Path

import pytest
from django.core.cache.backends.filebased import FileBasedCache

from tasks_app.store.store import Store
from tests.support import wire
from tests.support.servers import SERVERS, run_other
from tests.support.waiting import DEADLINE
from tests.support.wire_site import Site, find_errors

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", SERVERS)
def test_server_that_is_stopped_ends_its_streams_and_says_that_what_it_ran_is_lost(name: str, tmp_path: Path):
    env = {"DJANGO_SETTINGS_MODULE": "tests.support.wire_settings", "WIRE_CACHE": str(tmp_path)}
    with run_other(name, env=env) as server:
        site = Site(server)
        task_id = site.start_puppet("x")
        site.wait_for(task_id, "running")
        with wire.open_streams(site.port, [f"/task-progress/{task_id}"] * 3) as streams:
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(DEADLINE) == 0
            for stream in streams:
                assert "end" not in [event.type for event in stream.read_all()]  # the client comes back
    assert find_errors(site.log) == []
    assert Store(lambda: FileBasedCache(str(tmp_path), {})).get(task_id).state == "lost"
