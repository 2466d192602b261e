"""The short way of frames, past the task that serves a stream in the lane: taken where it may be, and only there."""

import logging
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from tasks_app import make_token
from tasks_app.servers.uvicorn import HIGH_WATER, CycleOutlet, find_cycle
from tasks_app.streaming.frames import View
from tasks_app.streaming.outlet import Framed, Outlet
from tests.streaming.test_stream import open_one
from tests.support import wire
from tests.support.servers import run_daphne, run_uvicorn
from tests.support.viewers import make_running, put, report, until
from tests.support.wire_site import Site
from tests.support.wrapped import WRAPPED, run_wrapped

STEPS = 10

#: What the iteration over a stream yields in any case: its head with the first snapshot, and its end.
IN_ANY_CASE = 2

run_httptools, run_h11 = partial(run_uvicorn, parser="httptools"), partial(run_uvicorn, parser="h11")
SERVERS = {"daphne": run_daphne, "uvicorn-httptools": run_httptools, "uvicorn-h11": run_h11}
#: Where httptools is installed, uvicorn takes that: the other is left to the slow tests.
NAMES = ["daphne", "uvicorn-httptools", pytest.param("uvicorn-h11", marks=pytest.mark.slow)]
servers = pytest.mark.parametrize(
    "run", [run_daphne, run_httptools, pytest.param(run_h11, marks=pytest.mark.slow)], ids=SERVERS
)


@pytest.fixture(scope="module", params=NAMES)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The site on each server, without layers around the wrapper."""
    with run_wrapped(WRAPPED, run=SERVERS[request.param], RESULT_MAX_BYTES=1_000_000) as running:
        yield running


def open_in_lane(site: Site, task_id: str) -> wire.EventStream:
    """Open a stream that is answered below Django."""
    return site.open(task_id, query=f"?token={make_token(task_id)}")


def read_steps(site: Site, stream: wire.EventStream, name: str) -> list[str]:
    """Have a puppet do its steps, each when the one before has come, and return what viewers were told."""
    found = []
    for step in range(1, STEPS + 1):
        site.order(name, current=step, total=STEPS + 1, status=f"step {step}")
        while (event := stream.next()).json()["current"] != step:
            pass
        found.append(event.json()["status"])
    return found


def read_stream(site: Site) -> tuple[list[str], list[str]]:
    """Return the steps of a puppet, and the types of the events after them."""
    task_id = site.start_puppet("short")
    with open_in_lane(site, task_id) as stream:
        stream.next()
        steps = read_steps(site, stream, "short")
        site.order_return("short")
        return steps, [event.type for event in stream.read_all()]


# With real servers


def test_stream_arrives_step_by_step_and_ends(site):
    steps, rest = read_stream(site)
    assert steps == [f"step {step}" for step in range(1, STEPS + 1)]
    assert rest == ["message", "end"]


@pytest.mark.parametrize("run", [run_daphne, run_httptools], ids=["daphne", "uvicorn"])
def test_frames_reach_the_server_past_the_task_that_serves_the_stream(run):
    with run_wrapped("tests.support.asgi_layers:counted", run=run) as site:
        read_stream(site)
        assert wire.send(site.port, "GET", "/sent").json() == IN_ANY_CASE


@servers
def test_wrapper_outside_that_changes_what_is_sent_is_not_left_out(run):
    with run_wrapped("tests.support.asgi_layers:changed", run=run) as site:
        steps, _ = read_stream(site)
    assert steps == [f"STEP {step}" for step in range(1, STEPS + 1)]


def test_slow_reader_gets_the_latest_and_the_end(site):
    task_id = site.start("flood", frames=300, size=100_000)
    with open_in_lane(site, task_id) as stream:
        stream.next()
        site.wait_for(task_id, "succeeded")
        events = stream.read_all()
    assert events[-1].type == "end"
    assert events[-1].json()["meta"]["number"] == 299
    assert len(events) < 300


def test_reader_that_goes_away_leaves_nothing_behind(site):
    task_id = site.start_puppet("gone")
    with open_in_lane(site, task_id) as stream, open_in_lane(site, task_id) as other:
        stream.next()
        other.next()
        stream.reset()
        assert read_steps(site, other, "gone")[-1] == f"step {STEPS}"
    site.order_return("gone")
    site.wait_until_free()


@servers
def test_response_that_somebody_else_ends_spills_nothing_into_the_next_one(run):
    with run_wrapped("tests.support.asgi_layers:cut", run=run) as site:
        task_id = site.start_puppet("cut")
        with open_in_lane(site, task_id) as stream:
            stream.next()
            read_steps(site, stream, "cut")
            assert wire.send(site.port, "GET", "/cut").status == 200
            assert stream.read_all() == []
            with open_in_lane(site, task_id) as other:
                read_steps(site, other, "cut")
            stream.send(wire.encode_request("GET", f"/tasks/{task_id}"))
            assert stream.read_head().status == 200
            assert stream.read_body().startswith(b"{")
        site.order_return("cut")


# What servers can't be brought to


class OneWriter(Outlet):
    """An outlet that notes what is written, as long as it does not fail."""

    def __init__(self) -> None:
        super().__init__(send)
        self.written: list[bytes] = []
        self.error: Exception | None = None

    def write(self, framed: Framed) -> bool:
        if self.error is not None:
            raise self.error
        self.written.append(framed.frame)
        return True


async def test_frame_that_was_written_is_not_given_to_the_reader():
    put(snapshot := report(make_running(), 1))
    stream, outlet = await open_one(), OneWriter()
    stream.send_by(outlet)
    await anext(stream)
    waiting = stream.__anext__()
    put(report(snapshot, 2))
    await until(lambda: outlet.written, "the frame was written")
    assert not waiting.done()
    assert b'"current":2' in outlet.written[0]
    stream.close()


async def test_frame_that_could_not_be_written_takes_the_long_way(caplog):
    put(snapshot := report(make_running(), 1))
    stream, outlet = await open_one(), OneWriter()
    stream.send_by(outlet)
    outlet.error = RuntimeError("no")
    await anext(stream)
    put(report(snapshot, 2))
    assert b'"current":2' in await anext(stream)
    (record,) = [item for item in caplog.records if item.levelno == logging.ERROR]
    assert "t1" in record.getMessage()
    stream.close()


def make_cycle(**changes: Any) -> tuple[SimpleNamespace, list[bytes]]:
    """Return what is known of uvicorn's cycle, and what its transport is given."""
    written: list[bytes] = []
    answers = {"is_closing": False, "get_write_buffer_size": HIGH_WATER} | changes
    chunked_encoding = answers.pop("chunked_encoding", True)
    asked = {name: partial(lambda answer: answer, answer) for name, answer in answers.items()}
    transport = SimpleNamespace(write=written.append, **asked)
    return SimpleNamespace(transport=transport, chunked_encoding=chunked_encoding), written


async def send(message: Any) -> None:
    pass


def make_outlet(**changes: Any) -> tuple[CycleOutlet, list[bytes]]:
    cycle, written = make_cycle(**changes)
    return CycleOutlet(send, cycle), written


def make_view() -> View:
    return View(report(make_running(), 2))


def test_frame_is_written_as_one_chunk():
    outlet, written = make_outlet()
    assert outlet.write(view := make_view())
    size, _, rest = written[0].partition(b"\r\n")
    assert (int(size, 16), rest) == (len(view.frame), view.frame + b"\r\n")


@pytest.mark.parametrize(
    "change", [{"get_write_buffer_size": HIGH_WATER + 1}, {"is_closing": True}, {"chunked_encoding": False}], ids=str
)
async def test_frame_is_not_written_at_once_where_that_can_not_be(change):
    outlet, written = make_outlet(**change)
    assert not outlet.write(make_view())
    assert written == []


@pytest.mark.parametrize("name", ["transport", "chunked_encoding", "write", "is_closing", "get_write_buffer_size"])
def test_send_of_a_server_that_lacks_something_has_no_cycle(name):
    class Cycle(SimpleNamespace):
        def send(self, message: Any) -> None: ...

    known = Cycle(**vars(make_cycle()[0]))
    assert find_cycle(known.send) is known
    delattr(known if hasattr(known, name) else known.transport, name)
    assert find_cycle(known.send) is None


def test_function_has_no_cycle():
    assert find_cycle(send) is None
