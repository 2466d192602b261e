"""The doctor finds what holds back, compresses or cuts streams, and names the hop that does."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tasks_app.doctor import stream
from tasks_app.doctor.address import Address
from tasks_app.doctor.examination import Options, _examine_streams
from tasks_app.doctor.finding import Figure, Finding
from tasks_app.doctor.probe_task import keep_task
from tasks_app.doctor.stream import examine_own_streams, examine_server
from tasks_app.store.store import get_store
from tests.support.doctor import find_figures, find_held, find_ids, hold_after, run_wsgi
from tests.support.nginx import needs_nginx
from tests.support.scripts import STREAM_HEAD, serve
from tests.support.waiting import DEADLINE

pytestmark = needs_nginx


def watch(*addresses: Address, hold: float = 0.1) -> list[Any]:
    return list(examine_own_streams(addresses, hold=hold))


@pytest.mark.parametrize("place", ["server", "proxy"])
def test_sound_site_has_nothing_but_figures(outside, place):
    results = watch(getattr(outside, place))
    assert (find_ids(results), find_figures(results).keys()) == ([], {"first frame", "change"})


def test_nothing_is_left_in_the_cache(outside):
    with keep_task() as task:
        assert get_store().read([task.task_id]) != {}
    assert get_store().read([task.task_id]) == {}


def test_proxy_that_holds_back_is_named(find_proxy, monkeypatch):
    monkeypatch.setattr(stream, "HEAD_SECONDS", 1.0)
    (finding,) = find_held(watch(find_proxy("holding")))
    assert ("nginx" in finding.what, "proxy_buffering off" in finding.cure) == (True, True)


def test_hop_that_holds_back_is_known_by_what_comes_at_once_behind_it(outside, find_proxy, monkeypatch):
    monkeypatch.setattr(stream, "HEAD_SECONDS", 3.0)
    (finding,) = find_held(watch(outside.server, find_proxy("holding")))
    assert f"At {outside.server} they come at once" in finding.what


def test_server_behind_a_proxy_is_asked_as_the_proxy_asks_it(outside):
    inner = Address("http", "localhost", outside.server.port)  # which ALLOWED_HOSTS does not have
    assert find_ids(watch(inner, outside.proxy)) == []


@pytest.mark.parametrize(
    ("name", "ids"),
    [("compressing", ["stream-compressed"]), ("with another type", ["stream-wrong-type"])],
)
def test_proxy_that_changes_the_stream_is_found(find_proxy: Callable[[str], Address], name, ids):
    assert find_ids(watch(find_proxy(name))) == ids


def test_proxy_that_cuts_silent_streams_is_found(find_proxy):
    (finding,) = [item for item in watch(find_proxy("cutting"), hold=DEADLINE) if isinstance(item, Finding)]
    assert (finding.id, "proxy_read_timeout" in finding.cure) == ("stream-cut", True)


def test_processes_that_do_not_hear_the_layer_are_found(outside, settings, monkeypatch):
    monkeypatch.setattr(stream, "GAP_PART", 0.27)
    config = settings.CHANNEL_LAYERS["default"]
    settings.CHANNEL_LAYERS = {"default": {**config, "CONFIG": {**config["CONFIG"], "prefix": "other"}}}
    assert find_ids(watch(outside.server)) == ["layer-not-heard"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("KEY_PREFIX", "other"), ("VERSION", 7)],
)
def test_processes_with_another_cache_are_found(outside, settings, name, value):
    settings.CACHES = {"default": {**settings.CACHES["default"], name: value}}
    assert find_ids(watch(outside.server)) == ["site-other-settings"]


def test_processes_with_another_secret_are_found(outside, settings):
    settings.SECRET_KEY = "another"
    assert find_ids(watch(outside.server)) == ["site-other-settings"]


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse:Warning")
def test_server_without_streams_is_found():
    with run_wsgi() as address:
        assert find_ids(watch(address)) == ["site-wsgi"]


def test_stream_is_not_watched_without_the_cache_of_the_site(outside):
    assert find_ids(_examine_streams(outside.server, Options(), has_cache=False)) == ["stream-not-watched"]


def test_stream_from_outside_refutes_that_the_site_lacks_asgi(outside):
    refuted = [item.refutes for item in watch(outside.server) if isinstance(item, Figure) and item.refutes]
    assert refuted == [["tasks_app.W002"]]


def test_server_that_can_send_streams_refutes_that_the_site_lacks_asgi(outside):
    (figure,) = examine_server(outside.server)
    assert isinstance(figure, Figure)
    assert (figure.value, figure.refutes) == ("ASGI", ["tasks_app.W002"])


def test_server_without_streams_is_found_without_its_cache_as_well():
    with run_wsgi() as address:
        found = find_ids(_examine_streams(address, Options(), has_cache=False))
    assert found == ["site-wsgi", "stream-not-watched"]


def test_site_that_is_full_is_found():
    refusal = b"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n\r\nat most 50 streams"
    with serve(lambda request: refusal) as server:
        (finding,) = watch(Address.parse(server.url))
    assert (finding.id, "at most 50 streams" in finding.what) == ("stream-refused", True)


def test_stream_that_is_answered_with_another_error_is_found():
    with serve(lambda request: b"HTTP/1.1 500 Oops\r\nConnection: close\r\n\r\nit broke") as server:
        (finding,) = watch(Address.parse(server.url))
    assert (finding.id, "500: it broke" in finding.what) == ("stream-fails", True)


def test_server_that_never_begins_does_not_hold_up_the_doctor(monkeypatch):
    monkeypatch.setattr(stream, "HEAD_SECONDS", 0.2)
    over = threading.Event()

    def wait(request: object) -> bytes:
        over.wait(DEADLINE)
        return STREAM_HEAD

    with serve(wait) as server:
        found = find_ids(watch(Address.parse(server.url)))
        over.set()
    assert found == ["stream-unanswered"]


@pytest.mark.parametrize(
    ("text", "arrived"),
    [("data:", "0 of 5"), ("change 1 of the doctor", "2 of 5"), ("change 4 of the doctor", "5 of 6")],
)
def test_changes_that_are_held_after_others_have_come_are_found(outside, settings, text, arrived):
    settings.TASKS_APP = {**settings.TASKS_APP, "SWEEP_INTERVAL": 0.2}
    with hold_after(text, outside.server) as proxy:
        (finding,) = find_held(watch(proxy.address))
    assert f"{arrived} changes arrived" in finding.what
