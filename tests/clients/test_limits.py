"""The scripts on a real site that refuses their streams for a while: they come back by themselves, and see the end."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import wire
from tests.support.scripts import ONE_TASK_SCRIPTS, run_script
from tests.support.waiting import wait_until
from tests.support.wire_site import run_site

pytestmark = pytest.mark.slow

PUPPET = ("--task", "puppet", "--kwargs", '{"name": "p"}')


@pytest.mark.parametrize("script", [*ONE_TASK_SCRIPTS, "multiple_task.py"])
def test_script_whose_stream_is_refused_comes_back_and_sees_the_end(script: str):
    with run_site(MAX_STREAMS_PER_CLIENT=1) as site, ThreadPoolExecutor(1) as threads:
        other = site.start_puppet("other")
        count = ("--count", "1") if script == "multiple_task.py" else ()
        with wire.open_streams(site.port, [f"/task-progress/{other}"]):
            url = f"http://127.0.0.1:{site.port}"
            running = threads.submit(run_script, script, "--url", url, *PUPPET, *count)
            wait_until(lambda: "MAX_STREAMS_PER_CLIENT 1" in site.log, "the script was refused")
        site.order_return("other")
        site.order("p", current=42, total=100)
        wait_until(lambda: site.get_stats()["viewers"] == 1, "the script is back")
        site.order_return("p")
        done = running.result()
    assert "answered 429" in done.stdout
    assert "At most 1 streams of one client" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")
