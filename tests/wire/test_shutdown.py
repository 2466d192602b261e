"""A server that is told to stop waits neither for those who watch nor for what runs."""

import signal
import subprocess
import sys

import pytest

from tests.support import wire
from tests.support.servers import run_daphne
from tests.support.waiting import DEADLINE
from tests.support.wire_site import Site, find_errors

#: On Python 3.11 the interpreter crashes in its last garbage collection, after all that the server does: Django 5.2
#: leaves asyncio tasks of open streams pending. A site without this app does so too, with "daphne" in INSTALLED_APPS.
CLEAN = (0,) if sys.version_info >= (3, 12) else (0, -signal.SIGSEGV)

ENV = {"DJANGO_SETTINGS_MODULE": "tests.support.wire_settings"}


def stop(process: "subprocess.Popen[str]", number: signal.Signals) -> int:
    process.send_signal(number)
    return process.wait(DEADLINE)  # its tasks go on much longer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_server_stops_and_waits_for_neither_open_streams_nor_running_tasks(number):
    with run_daphne(env=ENV) as server:
        site = Site(server)
        task_ids = [site.start_puppet("sync"), site.start("async_puppet"), site.start("wait")]
        for task_id in task_ids:
            site.wait_for(task_id, "running")
        with wire.open_streams(site.port, [f"/task-progress/{task_ids[n % 3]}" for n in range(50)]) as streams:
            assert stop(server.process, number) in CLEAN
            for stream in streams:
                with pytest.raises((AssertionError, ConnectionError)):  # no last chunk: the client will reconnect
                    stream.read_all()
    assert find_errors(site.log) == []
