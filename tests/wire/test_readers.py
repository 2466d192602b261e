"""Readers that read slowly or not at all, behind Daphne: with `tasks_app.asgi.wrap()`, and without."""

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from socket import socket

import pytest

from tasks_app import make_token
from tests.support.servers import run_daphne, run_uvicorn
from tests.support.waiting import wait_until
from tests.support.wire_site import Site
from tests.support.wrapped import PLAIN, WRAPPED, open_narrow, run_wrapped
from tests.support.wrapped_site import MUCH

#: A flood of these frames is what a reader that does not read would have the server keep.
FRAMES, SIZE = 400, 100_000

SETTINGS = {"MAX_WRITE_BUFFER": 300_000, "KEEPALIVE": 1, "RESULT_MAX_BYTES": 1_000_000}

LAST_CHUNK = b"0\r\n\r\n"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with run_wrapped(**SETTINGS) as site:
        yield site


@pytest.fixture
def target(site) -> str:
    """The stream of a task that floods its viewers."""
    return f"/task-progress/{site.start('flood', frames=FRAMES, size=SIZE)}"


def read(client: socket, *, responses: int = 1) -> bytes:
    """Read so many chunked responses."""
    received, ends = bytearray(), 0
    while ends < responses:
        part = client.recv(16_384)
        assert part, "the server closed the connection"
        ends += (bytes(received[-4:]) + part).count(LAST_CHUNK)
        received += part
    return bytes(received)


def read_slowly(client: socket, *, bytes_per_second: float, seconds: float) -> bytes:
    """Read for so long, a little at a time."""
    begun, received = time.monotonic(), bytearray()
    while len(received) < bytes_per_second * seconds:
        received += client.recv(4096)
        _wait_until_due(begun + len(received) / bytes_per_second)
    return bytes(received)


def _wait_until_due(monotonic: float) -> None:
    wait_until(lambda: time.monotonic() >= monotonic, "it is time to read on")


def find_cuts(site: Site, target: str) -> list[str]:
    """Return the lines in the log that say that a stream of this path was cut."""
    return [line for line in site.server.output if "a stream was cut" in line and f"path '{target}'" in line]


def wait_for_cut(site: Site, target: str) -> None:
    wait_until(lambda: find_cuts(site, target), "the stream that nobody reads was cut")


def test_reader_of_the_lane_that_does_not_read_is_cut(site, target):
    token = make_token(target.rpartition("/")[2])
    with open_narrow(site, f"{target}?token={token}"):
        wait_for_cut(site, target)
        site.wait_until_free()
    assert token not in "".join(find_cuts(site, target))


def test_cut_is_logged_once_with_the_path_and_without_the_query(site, target):
    with open_narrow(site, f"{target}?token=secret"):
        wait_for_cut(site, target)
        site.wait_until_free()
    (line,) = find_cuts(site, target)
    assert "WARNING" in line
    assert 0 < int(re.search(r"(\d+) bytes", line)[1]) - SETTINGS["MAX_WRITE_BUFFER"] < 2 * SIZE
    assert "secret" not in line


@pytest.mark.slow
@pytest.mark.parametrize("application", [WRAPPED, PLAIN])
def test_slow_reader_gets_the_latest_and_the_end(application):
    # Without `wrap`, all that comes in one SWEEP_INTERVAL may wait: on a busy machine, most of a flood.
    settings = {**SETTINGS, "MAX_WRITE_BUFFER": 4_000_000, "SWEEP_INTERVAL": 0.1}
    with run_wrapped(application, **settings) as site:
        task_id, received = site.start("flood", frames=FRAMES, size=SIZE), b""
        with open_narrow(site, f"/task-progress/{task_id}", receive_buffer=65_536) as client:
            while site.get_snapshot(task_id)["state"] != "succeeded":
                received += read_slowly(client, bytes_per_second=300_000, seconds=0.2)
            received += read(client)
    assert b"event: end" in received
    assert received.count(b'"seq"') < FRAMES / 2
    assert "a stream was cut" not in site.log


@pytest.mark.slow
def test_reader_that_pauses_for_less_than_keepalive_is_not_cut():
    with run_wrapped(**{**SETTINGS, "KEEPALIVE": 30}) as site:
        task_id = site.start("flood", frames=FRAMES, size=SIZE)
        with open_narrow(site, f"/task-progress/{task_id}") as client:
            site.wait_for(task_id, "succeeded")
            assert b"event: end" in read(client)


@pytest.mark.slow
def test_reader_that_reads_a_little_all_the_time_is_not_cut(site, target):
    with open_narrow(site, target, receive_buffer=16_384) as client:
        # For several KEEPALIVEs, and less than the kernel must be rid of before it takes more from the server.
        read_slowly(client, bytes_per_second=60_000, seconds=5)
        assert find_cuts(site, target) == []
        assert b"event: end" in read(client)


def run_patient() -> AbstractContextManager[Site]:
    """Run the site so that much may wait."""
    return run_wrapped(**{**SETTINGS, "MAX_WRITE_BUFFER": 30_000_000})


@contextmanager
def leave_rest(site: Site) -> Iterator[socket]:
    """Open a stream that ends while most of it waits for its reader, on a connection that ends with it."""
    task_id = site.start("flood", frames=150, size=SIZE)
    target = f"/task-progress/{task_id}"
    with open_narrow(site, target, receive_buffer=16_384, headers=[("Connection", "close")]) as client:
        site.wait_for(task_id, "succeeded")
        site.wait_until_free()
        yield client


@pytest.mark.slow
def test_rest_of_a_stream_that_nobody_reads_is_dropped():
    with run_patient() as site, leave_rest(site):
        wait_until(lambda: "a stream was cut" in site.log, "the rest that nobody reads was dropped")


@pytest.mark.slow
def test_rest_of_a_stream_is_kept_for_a_slow_reader():
    with run_patient() as site, leave_rest(site) as client:
        read_slowly(client, bytes_per_second=60_000, seconds=4)
        assert b"event: end" in read(client)
        assert "a stream was cut" not in site.log


@pytest.mark.slow
def test_stream_that_daphne_times_out_is_let_go_of():
    with run_wrapped(run=partial(run_daphne, options=["-t", "1"])) as site:
        with site.open(site.start_puppet("late")) as stream:
            assert stream.read_all()
        site.order_return("late")


@pytest.mark.slow
def test_reader_that_pauses_for_less_than_keepalive_is_not_cut_without_the_wrapper():
    with run_wrapped(PLAIN, **{**SETTINGS, "KEEPALIVE": 30, "SWEEP_INTERVAL": 0.2}) as site:
        task_id = site.start("flood", frames=FRAMES, size=SIZE)
        with open_narrow(site, f"/task-progress/{task_id}") as client:
            site.wait_for(task_id, "succeeded")
            received = read(client)
    assert b"event: end" in received
    assert received.count(b'"seq"') < FRAMES / 4, "the stream was held"


@pytest.mark.slow
def test_uvicorn_lets_streams_wait_by_itself():
    with run_wrapped(run=run_uvicorn, **{**SETTINGS, "MAX_WRITE_BUFFER": 1}) as site:
        events = site.read_all(site.start("flood", frames=50, size=1000))
    assert (events[-1].type, events[-1].json()["meta"]["number"]) == ("end", 49)


def test_streams_follow_each_other_on_one_connection(site):
    task_id = site.start("flood", frames=1, size=10)
    site.wait_for(task_id, "succeeded")
    with open_narrow(site, *[f"/task-progress/{task_id}"] * 3) as client:
        assert read(client, responses=3).count(b"event: end") == 3


def test_stream_behind_a_response_that_still_waits_is_cut(site, target):
    with open_narrow(site, "/much", target):
        wait_for_cut(site, target)
        site.wait_until_free()


@pytest.mark.slow
def test_response_that_is_no_stream_may_wait_longer_and_be_larger(site, target):
    with open_narrow(site, "/much", receive_buffer=65_536) as client, open_narrow(site, target):
        wait_for_cut(site, target)
        count = 0
        while count < MUCH:
            part = client.recv(65_536)
            assert part, "the server closed the connection"
            count += len(part)
