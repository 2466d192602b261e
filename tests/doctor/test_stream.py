"""The doctor finds what holds back, compresses or cuts streams, and names the hop that does."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.core.wsgi import get_wsgi_application

from tasks_app.doctor import polling, standstill, stream
from tasks_app.doctor.address import Address
from tasks_app.doctor.examination import Options, _examine_streams
from tasks_app.doctor.finding import Figure, Finding
from tasks_app.doctor.probe_task import ProbeTask, keep_task
from tasks_app.doctor.shown import Shown, examine_shown_task
from tasks_app.doctor.stream import examine_own_streams, examine_server, examine_shown_streams
from tasks_app.doctor.watching import Watching
from tasks_app.store.store import get_store
from tests.support.doctor import HoldingProxy, find_figures, find_ids, hold_after
from tests.support.nginx import needs_nginx, run_nginx
from tests.support.scripts import RUNNING, STREAM_HEAD, SUCCEEDED, serve
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


def find_held(results: list[Any]) -> list[Finding]:
    assert find_ids(results) == ["stream-held"]
    return [item for item in results if isinstance(item, Finding)]


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


class QuietHandler(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None: ...


@contextmanager
def run_wsgi() -> Iterator[Address]:
    """Run the site of this process under WSGI."""
    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=QuietHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Address.parse(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join(DEADLINE)


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


def test_task_that_is_shown_is_watched(outside):
    with keep_task() as task:
        results = list(examine_shown_streams([outside.server], Shown.of(task.task_id), hold=0.1))
    assert (find_ids(results), find_figures(results).keys()) == ([], {"first frame"})


def test_job_that_says_nothing_is_found(outside, monkeypatch):
    monkeypatch.setattr(standstill, "QUIET", 0.05)
    with keep_task() as task:
        results = examine_shown_streams([outside.server], Shown.of(task.task_id), hold=0.1)
        assert find_ids(results) == ["task-says-nothing"]


def test_stream_of_a_task_that_is_held_back_is_found_by_what_comes_at_once_behind(outside, find_proxy, monkeypatch):
    monkeypatch.setattr(stream, "HEAD_SECONDS", 3.0)
    with keep_task() as task:
        results = list(
            examine_shown_streams([outside.server, find_proxy("holding")], Shown.of(task.task_id), hold=0.1)
        )
    figure, finding = results
    assert (figure.name, finding.id) == (f"first frame at {outside.server}", "stream-unanswered")
    assert f"At {outside.server} they come at once, so it is what stands between, nginx" in finding.what


@pytest.fixture
def passing(outside) -> Iterator[HoldingProxy]:
    with hold_after(None, outside.server) as proxy:
        yield proxy


@pytest.fixture
def holding(outside) -> Iterator[HoldingProxy]:
    """A proxy that holds what comes after the first frame of a stream."""
    with hold_after("data:", outside.server) as proxy:
        yield proxy


def watch_a_change(monkeypatch: pytest.MonkeyPatch, *proxies: HoldingProxy) -> list[Any]:
    """Change a task once while its stream is watched at these proxies, the innermost first; return what is found."""
    monkeypatch.setattr(polling, "PAUSE", 0.01)
    monkeypatch.setattr(stream, "find_limit", lambda sweep: 0.0)
    with keep_task() as task:

        def change(watchings: Sequence[Watching], hold: float) -> None:
            for watching in watchings:
                assert watching.wait_for("data:", DEADLINE)
            task.report("changed")
            proxies[0].wait_for_polls(3)  # the first of them may have been asked for before, the last is not answered
            for watching in (watching for watching, proxy in zip(watchings, proxies, strict=True) if not proxy.text):
                assert watching.wait_for("changed", DEADLINE)

        monkeypatch.setattr(stream, "_watch", change)
        addresses = [proxy.address for proxy in proxies]
        return list(examine_shown_streams(addresses, Shown.of(task.task_id), hold=0.1))


def test_changes_of_a_task_that_come_at_once_are_sound(passing, monkeypatch):
    assert find_ids(watch_a_change(monkeypatch, passing)) == []


def test_changes_of_a_task_that_are_held_after_its_first_frame_are_found(holding, monkeypatch):
    (finding,) = find_held(watch_a_change(monkeypatch, holding))
    assert "0 of 1 changes arrived" in finding.what


def test_hop_that_holds_changes_of_a_task_is_known_by_what_comes_at_once_behind_it(passing, holding, monkeypatch):
    (finding,) = find_held(watch_a_change(monkeypatch, passing, holding))
    assert f"At {passing.address} they come at once" in finding.what


@pytest.mark.parametrize(
    ("text", "arrived"),
    [("data:", "0 of 5"), ("change 1 of the doctor", "2 of 5"), ("change 4 of the doctor", "5 of 6")],
)
def test_changes_that_are_held_after_others_have_come_are_found(outside, settings, text, arrived):
    settings.TASKS_APP = {**settings.TASKS_APP, "SWEEP_INTERVAL": 0.2}
    with hold_after(text, outside.server) as proxy:
        (finding,) = find_held(watch(proxy.address))
    assert f"{arrived} changes arrived" in finding.what


def test_stream_that_comes_with_the_end_of_the_task_is_found_as_held_back(outside, monkeypatch):
    monkeypatch.setattr(stream, "HELD", 0.3)
    monkeypatch.setattr(stream, "TOGETHER", 0.2)
    asked, ended = threading.Event(), threading.Event()

    def hold_back(request: object) -> bytes:
        asked.set()
        ended.wait(DEADLINE)
        return STREAM_HEAD + b"\r\n" + RUNNING + SUCCEEDED

    with serve(hold_back) as proxy, keep_task() as task:
        monkeypatch.setattr(stream, "_watch", lambda watchings, hold: end_late(task, watchings, asked, ended))
        addresses = [outside.server, Address.parse(proxy.url)]
        results = list(examine_shown_streams(addresses, Shown.of(task.task_id), hold=0.1))
    assert find_ids(results) == ["stream-held", "task-ended"]


def end_late(task: ProbeTask, watchings: Sequence[Watching], asked: threading.Event, ended: threading.Event) -> None:
    """End the task when its stream has been open for half a second; the proxy lets go of it then."""
    server, proxy = watchings
    assert server.wait_for("data:", DEADLINE)
    assert asked.wait(DEADLINE)
    server.wait_for("nothing", 0.5)
    task.end()
    ended.set()
    assert server.wait_for("event: end", DEADLINE)
    assert proxy.wait_for("event: end", DEADLINE)


def test_task_that_is_not_shown_is_told_of(outside):
    results = examine_shown_streams([outside.server], Shown.of("unknown"), hold=0.1)
    assert find_ids(results) == ["site-hides-task"]


def test_processes_of_which_some_do_not_know_a_task_are_found(outside, settings, tmp_path):
    with keep_task() as task, run_wsgi() as other, run_nginx(tmp_path, outside.server.port, other.port) as proxy:
        shared = settings.CACHES
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}  # of `other`
        (found,) = examine_shown_task(Address.parse(proxy.url), Shown.of(task.task_id))
        settings.CACHES = shared
    assert isinstance(found, Finding)
    assert (found.id, found.proves) == ("site-processes-differ", ["site-hides-task"])


def test_task_that_all_processes_know_is_fine(outside):
    with keep_task() as task:
        assert find_ids(examine_shown_task(outside.server, Shown.of(task.task_id))) == []
