"""The doctor finds channel layers by which another process hears nothing, or not at once."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import Mock

import pytest
from channels.layers import InMemoryChannelLayer

from tasks_app.doctor import layer
from tasks_app.doctor.layer import examine_layer
from tasks_app.doctor.peer import Peer
from tasks_app.wakeups import channel_layer, layer_backend
from tests.support.doctor import find_figures, find_ids, on_valkey, run_peer_of
from tests.support.servers import find_free_port

IN_MEMORY = "channels.layers.InMemoryChannelLayer"


class DeafLayer(InMemoryChannelLayer):
    """A layer that carries nothing to other processes, though nothing says so."""


@pytest.fixture
def make_peer(settings, monkeypatch) -> Callable[..., Peer]:
    """Run another process with these settings until the end of the test."""
    with ExitStack() as stack:
        yield lambda **values: stack.enter_context(run_peer_of(settings, monkeypatch, **values))


def use(backend: str, **config: Any) -> dict[str, Any]:
    return {"CHANNEL_LAYERS": {"default": {"BACKEND": backend, "CONFIG": config}}}


def test_layer_that_delivers_has_nothing_but_its_speed(make_peer, valkey):
    results = list(examine_layer(make_peer(**on_valkey(valkey)), is_shared=True, processes=None))
    assert (find_ids(results), find_figures(results).keys()) == ([], {"message"})


def test_layer_that_nobody_hears_is_found(make_peer, monkeypatch):
    monkeypatch.setattr(layer, "MESSAGE_SECONDS", 0.2)
    peer = make_peer(**use(f"{__name__}.DeafLayer"))
    assert find_ids(examine_layer(peer, is_shared=True, processes=None)) == ["layer-silent"]


def test_layer_that_can_not_be_reached_is_found_with_its_error(make_peer):
    place = f"redis://127.0.0.1:{find_free_port()}"
    peer = make_peer(**use("channels_redis.core.RedisChannelLayer", hosts=[place]))
    (finding,) = examine_layer(peer, is_shared=True, processes=None)
    assert (finding.id, "Connect" in finding.what) == ("layer-fails", True)


def test_layer_that_can_not_be_imported_is_left_to_the_check_that_says_so(settings):
    settings.CHANNEL_LAYERS = use("channels_redis.pubsub.Typo")["CHANNEL_LAYERS"]
    assert find_ids(examine_layer(Mock(), is_shared=True, processes=None)) == []


def test_layer_that_nothing_uses_without_channels_is_not_called_in_memory(settings, monkeypatch):
    monkeypatch.setattr(channel_layer, "channel_layers", None)
    monkeypatch.setattr(layer_backend, "find_spec", lambda name: None)
    settings.CHANNEL_LAYERS = use("channels_redis.pubsub.RedisPubSubChannelLayer")["CHANNEL_LAYERS"]
    assert find_ids(examine_layer(Mock(), is_shared=True, processes=None)) == []


def test_layer_that_is_far_away_is_slow():
    assert find_ids(layer._judge_speed("default", 0.3)) == ["layer-slow"]


@pytest.mark.parametrize(
    ("layers", "is_shared", "processes", "ids"),
    [
        ({"default": {"BACKEND": IN_MEMORY}}, True, None, ["layer-in-memory"]),
        ({"default": {"BACKEND": IN_MEMORY}}, True, 1, []),
        ({"default": {"BACKEND": IN_MEMORY}}, False, None, []),
        ({}, True, 3, ["layer-missing"]),
    ],
)
def test_layer_in_memory_is_told_of_where_processes_share_the_cache(settings, layers, is_shared, processes, ids):
    settings.CHANNEL_LAYERS = layers
    peer: Any = None  # nobody is asked
    assert find_ids(examine_layer(peer, is_shared=is_shared, processes=processes)) == ids


def test_layer_that_is_missing_is_no_fault(settings):
    settings.CHANNEL_LAYERS = {}
    peer: Any = None  # nobody is asked
    (finding,) = examine_layer(peer, is_shared=True, processes=None)
    assert finding.level == "note"


def test_changes_without_a_layer_are_promised_within_two_sweeps(settings):
    settings.CHANNEL_LAYERS, settings.TASKS_APP = {}, {"SWEEP_INTERVAL": 1.5}
    peer: Any = None  # nobody is asked
    (finding,) = examine_layer(peer, is_shared=True, processes=None)
    assert "within 3 s, 2 times SWEEP_INTERVAL" in finding.what


def test_nothing_of_the_layer_is_left(make_peer, valkey):
    import redis

    list(examine_layer(make_peer(**on_valkey(valkey)), is_shared=True, processes=None))
    with redis.from_url(f"redis://{valkey}") as client:
        assert client.pubsub_channels("*doctor*") == []


def test_listener_gives_up(make_peer, settings):
    peer = make_peer(**use(f"{__name__}.DeafLayer"))
    assert peer.ask({"order": "listen", "group": "g", "count": 1, "seconds": 0.01}) == {"listening": "g"}
    assert peer.wait() == {"heard": None}
