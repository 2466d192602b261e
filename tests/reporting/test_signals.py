"""`task_changed` and `task_ended`: who hears of a task in the process that runs it."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.dispatch import Signal

from tasks_app import task_changed, task_ended, task_run
from tasks_app.reporting import signals
from tasks_app.reporting.process import get_flusher
from tasks_app.reporting.signals import SignalSender
from tasks_app.snapshot.snapshot import Snapshot
from tests.support.doubles import START
from tests.support.waiting import wait_until


@pytest.fixture
def connect() -> Iterator[Callable[[Signal, Callable[..., object]], None]]:
    """Connect receivers until the end of the test."""
    connected: list[tuple[Signal, Callable[..., object]]] = []

    def add(signal: Signal, receiver: Callable[..., object]) -> None:
        connected.append((signal, receiver))
        signal.connect(receiver, weak=False)

    yield add
    for signal, receiver in connected:
        assert signal.disconnect(receiver)
    assert not task_changed.has_listeners()
    assert not task_ended.has_listeners()


@pytest.fixture
def sender(monkeypatch) -> Iterator[SignalSender]:
    """A sender whose thread must end by itself."""
    monkeypatch.setattr(signals, "IDLE_SECONDS", 0.05)
    before = set(threading.enumerate())
    yield SignalSender()
    wait_until(lambda: not set(threading.enumerate()) - before, "the thread of the signals ended")


@pytest.fixture
def snapshot() -> Snapshot:
    return Snapshot.queued("t1", "demo", now=START).begun(now=START)


def collect(into):
    def receive(*, snapshot, **kwargs):
        into.append(snapshot)

    return receive


def flush():
    assert get_flusher().flush()
    assert get_flusher().signals.drain(10)


def test_receivers_of_task_changed_get_every_written_snapshot(connect):
    heard = []
    connect(task_changed, collect(heard))
    with task_run("nightly") as task:
        flush()
        task.update(current=1, total=2)
        flush()
    flush()
    wait_until(lambda: heard[-1].is_terminal, "the end was sent")
    assert [(item.state, item.progress) for item in heard] == [("running", 0), ("running", 50), ("succeeded", 100)]
    assert {item.task_id for item in heard} == {task.task_id}


def test_receivers_of_task_ended_get_the_last_snapshot_once(connect):
    heard = []
    connect(task_ended, collect(heard))
    with task_run("nightly") as task:
        flush()
    for _ in range(3):
        flush()
    wait_until(lambda: heard, "the end was sent")
    flush()
    assert [(item.task_id, item.state) for item in heard] == [(task.task_id, "succeeded")]


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled", "lost"])
def test_every_end_is_sent(connect, sender, snapshot, end):
    ends = {
        "succeeded": lambda: snapshot.succeeded(now=START),
        "failed": lambda: snapshot.failed("ValueError", now=START),
        "cancelled": lambda: snapshot.cancelled(now=START),
        "lost": lambda: snapshot.lost(now=START),
    }
    changed, ended = [], []
    connect(task_changed, collect(changed))
    connect(task_ended, collect(ended))
    sender.send(snapshot)
    assert sender.drain(10)
    sender.send(ends[end]())
    assert sender.drain(10)
    assert [item.state for item in changed] == ["running", end]
    assert [item.state for item in ended] == [end]


def test_sender_is_none_as_documented(connect, sender, snapshot):
    heard = []
    connect(task_changed, lambda sender, **kwargs: heard.append(sender))
    sender.send(snapshot)
    assert sender.drain(10)
    assert heard == [None]


def test_receiver_that_raises_is_logged_with_the_task_and_hurts_nobody(connect, sender, snapshot, caplog):
    heard = []

    def fail(**kwargs):
        raise ZeroDivisionError("in a receiver")

    connect(task_changed, fail)
    connect(task_changed, collect(heard))
    for _ in range(2):
        sender.send(snapshot)
        assert sender.drain(10)
    records = [record for record in caplog.records if record.name == "tasks_app"]
    assert (len(heard), len(records)) == (2, 2)
    assert "t1" in records[0].getMessage()
    assert "fail" in records[0].getMessage()
    assert isinstance(records[0].exc_info[1], ZeroDivisionError)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_receiver_that_wants_to_exit_does_not_end_the_signals(connect, sender, snapshot, caplog, error):
    heard = []

    def fail(**kwargs):
        raise error

    connect(task_changed, fail)
    connect(task_ended, collect(heard))
    sender.send(snapshot)
    sender.send(snapshot.succeeded(now=START))
    assert sender.drain(10)
    assert [item.state for item in heard] == ["succeeded"]
    assert "t1" in caplog.text


def test_receiver_that_raises_does_not_fail_the_task(connect):
    def fail(**kwargs):
        raise ZeroDivisionError("in a receiver")

    ended = []
    connect(task_changed, fail)
    connect(task_ended, collect(ended))
    with task_run("nightly"):
        flush()
    wait_until(lambda: ended, "the end was sent")
    assert ended[0].state == "succeeded"


def test_slow_receiver_delays_no_flush(connect):
    began, go_on = threading.Event(), threading.Event()

    def wait(**kwargs):
        began.set()
        go_on.wait(10)

    connect(task_changed, wait)
    try:
        with task_run("nightly") as task:
            assert began.wait(10)
            task.update(current=1, total=2)
            assert get_flusher().flush()
            assert not go_on.is_set()
        assert get_flusher().drain(10)
    finally:
        go_on.set()
    assert get_flusher().signals.drain(10)


def test_async_receiver_is_called(connect, sender, snapshot):
    heard = []

    async def receive(snapshot, **kwargs):
        heard.append(snapshot)

    connect(task_changed, receive)
    sender.send(snapshot)
    assert sender.drain(10)
    assert heard == [snapshot]


def test_slow_receiver_sees_the_latest_snapshot_and_none_twice(connect, sender, snapshot):
    heard, began, go_on = [], threading.Event(), threading.Event()

    def receive(snapshot, **kwargs):
        heard.append(snapshot)
        began.set()
        go_on.wait(10)

    connect(task_changed, receive)
    sender.send(snapshot)
    assert began.wait(10)
    versions = [snapshot.beating()]
    for _ in range(200):
        versions.append(versions[-1].beating())
        sender.send(versions[-1])
    go_on.set()
    assert sender.drain(10)
    assert heard == [snapshot, versions[-1]]


def test_slow_receiver_gets_the_end_of_each_run_under_one_id(connect, sender):
    ended, release = [], threading.Event()

    def receive(*, snapshot, **kwargs):
        release.wait(10)
        ended.append(snapshot)

    connect(task_ended, receive)
    runs = [Snapshot.queued("t1", "demo", now=START + timedelta(seconds=number)) for number in range(3)]
    ends = [run.begun(now=run.created_at).succeeded(number, now=run.created_at) for number, run in enumerate(runs)]
    for end in ends:
        sender.send(end)
    release.set()
    assert sender.drain(10)
    assert ended == ends


def test_without_receivers_there_is_no_thread(sender, snapshot):
    before = set(threading.enumerate())
    sender.send(snapshot)
    assert set(threading.enumerate()) == before


def test_thread_begins_again_after_it_was_idle(connect, sender, snapshot):
    heard, before = [], set(threading.enumerate())
    connect(task_changed, collect(heard))
    sender.send(snapshot)
    wait_until(lambda: not set(threading.enumerate()) - before, "the thread ended")
    sender.send(snapshot)
    assert sender.drain(10)
    assert len(heard) == 2


def test_drain_gives_up_on_a_receiver_that_hangs(connect, sender, snapshot):
    go_on = threading.Event()
    connect(task_changed, lambda **kwargs: go_on.wait(10))
    sender.send(snapshot)
    assert not sender.drain(0.05)
    go_on.set()
    assert sender.drain(10)


def test_drain_of_nothing_returns_at_once(sender):
    assert sender.drain(10)
