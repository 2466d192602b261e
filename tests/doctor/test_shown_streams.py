"""The doctor watches the stream of a task that others change, by what single answers say of it."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tasks_app.doctor import polling, standstill, stream
from tasks_app.doctor.address import Address
from tasks_app.doctor.finding import Finding
from tasks_app.doctor.probe_task import ProbeTask, keep_task
from tasks_app.doctor.shown import Shown, examine_shown_task
from tasks_app.doctor.stream import examine_shown_streams
from tasks_app.doctor.watching import Watching
from tests.support.doctor import HoldingProxy, find_figures, find_held, find_ids, hold_after, run_wsgi
from tests.support.nginx import needs_nginx, run_nginx
from tests.support.scripts import RUNNING, STREAM_HEAD, SUCCEEDED, serve
from tests.support.waiting import DEADLINE

pytestmark = needs_nginx


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


def test_changes_of_a_task_that_others_change_say_nothing_of_the_layer(outside, passing, settings, monkeypatch):
    settings.TASKS_APP = {**settings.TASKS_APP, "SWEEP_INTERVAL": 60.0}
    monkeypatch.setattr(stream, "_compare", lambda *_: [30.0, 30.0])
    assert find_ids(watch_a_change(monkeypatch, passing)) == []


def test_changes_of_a_task_that_are_held_after_its_first_frame_are_found(holding, monkeypatch):
    (finding,) = find_held(watch_a_change(monkeypatch, holding))
    assert "0 of 1 changes arrived" in finding.what


def test_hop_that_holds_changes_of_a_task_is_known_by_what_comes_at_once_behind_it(passing, holding, monkeypatch):
    (finding,) = find_held(watch_a_change(monkeypatch, passing, holding))
    assert f"At {passing.address} they come at once" in finding.what


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
