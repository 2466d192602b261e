"""Signals that an event loop sends: in its own thread only where no receiver can block it."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.dispatch import Signal

from tasks_app.backends import InProcessBackend
from tasks_app.lifecycle import compat
from tasks_app.lifecycle.sending import asend, has_foreign_receivers
from tasks_app.store.store import get_store
from tests.support import jobs
from tests.support.viewers import until

signals = next(compat.signal_modules())
NAMES = ("task_enqueued", "task_started", "task_finished")


@pytest.fixture
def listen() -> Iterator[Callable[..., list[threading.Thread]]]:
    """Connect a receiver to a signal; it notes the thread in which it is called."""
    connected: list[tuple[Signal, Callable[..., None]]] = []

    def connect(signal: Signal) -> list[threading.Thread]:
        threads: list[threading.Thread] = []

        def receiver(**kwargs: Any) -> None:
            threads.append(threading.current_thread())

        signal.connect(receiver)
        connected.append((signal, receiver))
        return threads

    yield connect
    for signal, receiver in connected:
        signal.disconnect(receiver)


@pytest.mark.parametrize("name", NAMES)
def test_framework_and_this_app_are_nobody_else(name):
    assert not has_foreign_receivers(getattr(signals, name), InProcessBackend)


@pytest.mark.parametrize("name", NAMES)
def test_receiver_of_the_site_is_seen(name, listen):
    listen(getattr(signals, name))
    assert has_foreign_receivers(getattr(signals, name), InProcessBackend)


def test_async_receiver_of_the_site_is_seen():
    async def receiver(**kwargs: Any) -> None: ...

    signals.task_started.connect(receiver)
    assert has_foreign_receivers(signals.task_started, InProcessBackend)
    signals.task_started.disconnect(receiver)


def test_receivers_that_can_not_be_found_out_count_as_foreign():
    class OtherSignal(Signal):
        _live_receivers = None  # as if Django had renamed it

    assert has_foreign_receivers(OtherSignal(), InProcessBackend)


async def test_receiver_of_the_site_is_called_in_another_thread(listen):
    signal = Signal()
    threads = listen(signal)
    await asend(signal, InProcessBackend)
    assert threads
    assert threading.current_thread() not in threads


async def test_receivers_that_can_not_block_are_called_in_this_thread():
    signal, sent = Signal(), []

    def receiver(**kwargs: Any) -> None:
        sent.append(threading.current_thread())

    receiver.__module__ = signals.__name__
    signal.connect(receiver)
    await asend(signal, InProcessBackend)
    assert sent == [threading.current_thread()]


@pytest.fixture
def enqueued_in(monkeypatch) -> list[threading.Thread]:
    """The threads in which tasks are enqueued."""
    threads, enqueue = [], InProcessBackend.enqueue

    def note(self: InProcessBackend, task: Any, args: Any, kwargs: Any) -> Any:
        threads.append(threading.current_thread())
        return enqueue(self, task, args, kwargs)

    monkeypatch.setattr(InProcessBackend, "enqueue", note)
    return threads


async def finish(result: Any) -> None:
    """Wait until a task has ended."""
    await until(lambda: jobs.greet.get_result(result.id).is_finished, "the task ended")


async def test_task_is_enqueued_in_the_thread_of_the_loop_where_nothing_can_block(enqueued_in):
    await finish(await jobs.greet.aenqueue())
    assert enqueued_in == [threading.current_thread()]


async def test_task_is_enqueued_in_another_thread_where_a_receiver_may_block(enqueued_in, listen):
    listen(signals.task_enqueued)
    await finish(await jobs.greet.aenqueue())
    assert threading.current_thread() not in enqueued_in


async def test_task_is_enqueued_in_another_thread_where_the_cache_may_block(enqueued_in, monkeypatch):
    monkeypatch.setattr(get_store(), "is_local", False)
    await finish(await jobs.greet.aenqueue())
    assert threading.current_thread() not in enqueued_in


async def test_task_of_a_subclass_is_enqueued_in_another_thread(enqueued_in, settings):
    settings.TASKS = {"default": {"BACKEND": "tests.lifecycle.test_sending.OwnBackend"}}
    await finish(await jobs.greet.aenqueue())
    assert threading.current_thread() not in enqueued_in


class OwnBackend(InProcessBackend):
    """A backend of a site, which may use the database when it enqueues."""
