"""Readers that take nothing of what they asked for, and what they cost the server and those who read."""

from contextlib import ExitStack
from functools import partial

import pytest

from tasks_app import make_token
from tests.support import wire
from tests.support.servers import run_uvicorn
from tests.support.waiting import wait_until
from tests.support.wrapped import PLAIN, WRAPPED, open_narrow, run_wrapped
from tests.wire.test_readers import FRAMES, SETTINGS, SIZE, wait_for_cut

pytestmark = pytest.mark.slow

#: What the process may grow by: snapshots and frames that are being made, and the buffer of one stream.
GROWTH_KB = 12_000


@pytest.mark.parametrize("application", [WRAPPED, PLAIN])
@pytest.mark.parametrize("query", ["", "?logs=1"])
def test_reader_that_does_not_read_is_cut_and_costs_no_memory(application, query):
    events, most = [], 0
    # What has been used before would hide growth.
    with run_wrapped(application, **{**SETTINGS, "SWEEP_INTERVAL": 0.2}) as site:
        before = site.get_stats()["rss_kb"]
        target = f"/task-progress/{site.start('flood', frames=FRAMES, size=SIZE)}"
        with open_narrow(site, target + query), wire.EventStream(site.port, target) as other:
            while (event := other.next()) is not None:
                events.append(event)
                if len(events) % 20 == 0:
                    most = max(most, site.get_stats()["rss_kb"])
            wait_for_cut(site, target)
            site.wait_until_free()
    assert (events[-1].type, events[-1].json()["meta"]["number"]) == ("end", FRAMES - 1)
    assert 0 < most - before < GROWTH_KB


#: How a site is run on which bytes wait for readers: by the guard of the wrapper, without it, and on uvicorn.
WAYS = {
    "wrapped": partial(run_wrapped, WRAPPED),
    "plain": partial(run_wrapped, PLAIN),
    "uvicorn": partial(run_wrapped, WRAPPED, run=run_uvicorn),
}


@pytest.mark.parametrize("way", WAYS)
def test_slowest_readers_are_cut_once_too_much_waits_and_others_do_not_notice(way):
    settings = {**SETTINGS, "KEEPALIVE": 60, "SWEEP_INTERVAL": 0.2, "MAX_BUFFERED_BYTES": 3_000_000}
    with WAYS[way](**settings) as site, ExitStack() as clients:
        task_id = site.start("flood", frames=FRAMES, size=SIZE)
        target = f"/task-progress/{task_id}?token={make_token(task_id)}"
        for _ in range(30):
            clients.enter_context(open_narrow(site, target))
        events = site.read_all(task_id)
        wait_until(lambda: "since more than 3000000 bytes waited" in site.log, "the slowest were cut")
        assert "took none of" not in site.log
    assert (events[-1].type, events[-1].json()["meta"]["number"]) == ("end", FRAMES - 1)
    assert len(events) > FRAMES / 10
