"""The doctor reads a stream as a browser does: texts of the task are none of the stream's own."""

import json
import threading
from collections.abc import Iterator
from typing import Any

from tasks_app.doctor.address import Address
from tasks_app.doctor.stream import _record
from tasks_app.doctor.watching import Watching
from tests.support.scripts import STREAM_HEAD, serve
from tests.support.waiting import DEADLINE


def encode(seq: int, **fields: Any) -> bytes:
    snapshot = {"progress": 0, "status": "Running", "state": "running", "seq": seq, **fields}
    return f"id: {seq}\ndata: {json.dumps(snapshot, separators=(',', ':'))}\n\n".encode()


def test_seq_in_the_meta_of_a_task_is_not_taken_for_that_of_a_later_snapshot():
    may_go_on = threading.Event()

    def answer(request: object) -> Iterator[bytes]:
        yield STREAM_HEAD + b"\r\n" + encode(1, meta={"seq": 2, "of": "a batch"})
        assert may_go_on.wait(DEADLINE)
        yield encode(2)

    with serve(answer) as site, Watching(Address.parse(site.url), "/") as watching:
        first_at = watching.wait_for("\n\n", DEADLINE)
        may_go_on.set()
        watching.wait_for("nothing", DEADLINE)
        second_at = watching.find("id: 2\n")
        found_at = watching.find_snapshot(2)
    assert first_at is not None
    assert second_at is not None
    assert found_at is not None
    assert first_at < second_at <= found_at


def test_text_of_a_task_is_not_taken_for_the_end_of_its_stream():
    answer = STREAM_HEAD + b"\r\n" + encode(1, status="event: end")
    with serve(lambda request: answer) as site, Watching(Address.parse(site.url), "/") as watching:
        watching.wait_for("nothing", DEADLINE)
        watched = _record(watching, [])
    assert watched.lasted is not None
