"""The word "look again", within a process and to others."""

from collections.abc import Callable, Iterator

import pytest
from channels.layers import InMemoryChannelLayer

from tasks_app import wakeups
from tasks_app.snapshot.version import Version
from tasks_app.wakeups import channel_layer, local
from tests.support.viewers import make_running, until


@pytest.fixture
def listen() -> Iterator[Callable[[wakeups.Listener], None]]:
    """Listen until the end of the test."""
    listeners: list[wakeups.Listener] = []

    def add(listener: wakeups.Listener) -> None:
        listeners.append(listener)
        wakeups.listen(listener)

    before = local.get_listeners().current
    yield add
    for listener in listeners:
        wakeups.ignore(listener)
    assert local.get_listeners().current == before


def make_versions(*task_ids: str) -> dict[str, Version]:
    return {task_id: Version.of(make_running(task_id)) for task_id in task_ids}


def test_every_listener_hears_of_every_task(listen):
    first, second = [], []
    listen(first.extend)
    listen(second.extend)
    wakeups.publish(make_versions("a", "b"))
    assert (first, second) == (["a", "b"], ["a", "b"])


def test_listener_that_listens_twice_hears_once(listen):
    heard = []
    listener = heard.extend
    listen(listener)
    listen(listener)
    wakeups.publish(make_versions("a"))
    assert heard == ["a"]


def test_listener_that_ignores_hears_no_more(listen):
    heard = []
    listener = heard.extend
    listen(listener)
    wakeups.ignore(listener)
    wakeups.publish(make_versions("a"))
    assert heard == []


def test_ignoring_what_never_listened_is_harmless():
    wakeups.ignore(lambda versions: None)


def test_listener_may_stop_listening_while_it_is_called(listen):
    heard = []

    def listen_once(versions):
        heard.extend(versions)
        wakeups.ignore(listen_once)

    listen(listen_once)
    wakeups.publish(make_versions("a"))
    wakeups.publish(make_versions("b"))
    assert heard == ["a"]


def test_publishing_without_listeners_is_harmless():
    wakeups.publish(make_versions("a"))


class RecordingLayer(InMemoryChannelLayer):
    """A layer that keeps the names of the groups that are joined, and of those that are left."""

    def __init__(self) -> None:
        super().__init__()
        self.joined: list[str] = []
        self.left: list[str] = []

    async def group_add(self, group: str, channel: str) -> None:
        self.joined.append(group)
        await super().group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        self.left.append(group)
        await super().group_discard(group, channel)


async def test_group_that_is_watched_no_more_is_left_also_after_it_was_joined_again(monkeypatch):
    layer = RecordingLayer()
    monkeypatch.setattr(channel_layer, "has_layer", lambda: True)
    monkeypatch.setattr(channel_layer, "get_layer", lambda: layer)
    monkeypatch.setattr(channel_layer, "RENEW_AFTER", 0.2)
    listener = channel_layer.LayerListener(list)
    listener.add("t1")
    await until(lambda: layer.joined, "the group was joined")
    listener.discard("t1")
    await until(lambda: layer.left == [channel_layer.name_group("t1")], "the group was left")
    listener.stop()


async def test_groups_are_joined_anew_since_membership_ends_by_itself(monkeypatch):
    layer, heard = RecordingLayer(), []
    monkeypatch.setattr(channel_layer, "has_layer", lambda: True)
    monkeypatch.setattr(channel_layer, "get_layer", lambda: layer)
    monkeypatch.setattr(channel_layer, "RENEW_AFTER", 0.01)
    listener = channel_layer.LayerListener(heard.extend)
    listener.add("t1")
    await until(lambda: layer.joined.count(channel_layer.name_group("t1")) >= 3, "the group was joined three times")
    listener.stop()
    assert set(heard) == {"t1"}  # what changed in between was not heard: it is looked at again
