"""Wake-ups go to other processes only where one of them listens, as the cache tells."""

from collections.abc import Iterator

import pytest
from channels.layers import InMemoryChannelLayer

from tasks_app.store.store import get_store
from tasks_app.wakeups import channel_layer, interest
from tasks_app.wakeups.channel_layer import LayerListener, LayerSender, name_group
from tests.support.viewers import until
from tests.support.waiting import DEADLINE


class SentLayer(InMemoryChannelLayer):
    """A layer that keeps what is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    async def group_send(self, group: str, message: dict[str, object]) -> None:
        self.sent += message["task_ids"]


@pytest.fixture
def layer(monkeypatch) -> SentLayer:
    layer = SentLayer()
    monkeypatch.setattr(channel_layer, "has_layer", lambda: True)
    monkeypatch.setattr(channel_layer, "get_layer", lambda: layer)
    return layer


@pytest.fixture
def listener(layer) -> Iterator[LayerListener]:
    listener = LayerListener(list)
    yield listener
    listener.stop()


def send(*task_ids: str) -> None:
    """Send wake-ups as another process does, and wait until they are sent."""
    sender = LayerSender()
    sender.send(task_ids)
    assert sender.drain(DEADLINE)


def test_task_that_nobody_listens_to_is_sent_to_nobody(layer):
    send("t1")
    assert layer.sent == []


async def test_task_that_a_process_listens_to_is_sent(layer, listener):
    listener.add("t1")
    await until(lambda: interest.find_interest([name_group("t1")]), "the interest was noted")
    send("t1", "t2")
    assert layer.sent == ["t1"]


async def test_interest_is_noted_again_before_it_is_forgotten(layer, listener, monkeypatch):
    monkeypatch.setattr(interest, "RENEW_AFTER", 0.01)
    listener.add("t1")
    await until(lambda: interest.find_interest([name_group("t1")]), "the interest was noted")
    get_store().cache.clear()
    await until(lambda: interest.find_interest([name_group("t1")]), "the interest was noted again")


async def test_tasks_are_looked_at_after_the_interest_was_noted(layer, monkeypatch):
    known: list[set[str]] = []
    listener = LayerListener(lambda task_ids: known.append(interest.find_interest([name_group("t1")])))
    listener.add("t1")
    await until(lambda: known, "the tasks are looked at")
    listener.stop()
    assert known == [{name_group("t1")}]


def test_wake_ups_are_sent_while_the_cache_can_not_tell_who_listens(layer, monkeypatch):
    def fail(keys: object) -> None:
        raise OSError("no cache")

    monkeypatch.setattr(get_store().cache, "get_many", fail)
    send("t1")
    assert layer.sent == ["t1"]


async def test_failure_to_note_an_interest_ends_no_listening(layer, monkeypatch):
    heard: list[str] = []

    def fail(values: object, ttl: object) -> None:
        raise OSError("no cache")

    monkeypatch.setattr(get_store().cache, "set_many", fail)
    listener = LayerListener(heard.extend)
    listener.add("t1")
    await until(lambda: heard == ["t1"], "the group was joined")
    listener.stop()
