"""What the record of a stream says: whether it is held back, and by which hop."""

from typing import Any

import pytest

from tasks_app.doctor.finding import Finding
from tasks_app.doctor.hops import find_cure, name_hop
from tasks_app.doctor.judgement import Expected, Watched, judge
from tests.support.doctor import find_ids

URL = "https://shop.example"
EXPECTED = Expected(sweep=1.0, keepalive=15, has_layer=True)
HEADERS = {"content-type": "text/event-stream", "x-accel-buffering": "no", "content-encoding": "identity"}


def make(**values: Any) -> Watched:
    return Watched(**{"status": 200, "headers": HEADERS, "first": 0.01, "latencies": [0.01, 0.02, 0.01], **values})


def explain(watched: Watched, inner: tuple[str, Watched] | None = None) -> str:
    (finding,) = [item for item in judge(URL, watched, EXPECTED, inner) if hasattr(item, "id")]
    return str(finding.what)


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({}, []),
        ({"latencies": [1.1, 0.8, 0.01]}, ["layer-not-heard"]),
        ({"latencies": [1.9, 2.8, 3.4]}, ["layer-not-heard"]),
        ({"latencies": [0.01, 0.02, 0.9]}, []),  # one late change is no rule
        ({"latencies": [3.0, 3.4, 3.6]}, ["stream-held"]),
        ({"latencies": [0.01, None, None]}, ["stream-held"]),
        ({"latencies": [], "first": None}, ["stream-held"]),
        ({"latencies": [], "first": 6.5}, ["stream-held"]),
        ({"latencies": [], "first": 2.0}, []),
        ({"latencies": [], "first": 2.0, "is_released": True}, ["stream-held"]),
        ({"latencies": [], "first": None, "status": 0}, ["stream-unanswered"]),
        ({"lasted": 5.0, "idle": 3.0}, ["stream-cut"]),
        ({"headers": {**HEADERS, "content-encoding": "br"}}, ["stream-compressed"]),
        ({"headers": {**HEADERS, "content-type": "text/html"}}, ["stream-wrong-type"]),
    ],
)
def test_record_is_judged(values, ids):
    assert find_ids(judge(URL, make(**values), EXPECTED)) == ids


def test_changes_at_the_pace_of_sweeps_are_fine_without_a_layer():
    expected = Expected(sweep=1.0, keepalive=15, has_layer=False)
    assert find_ids(judge(URL, make(latencies=[1.1, 0.8, 0.9]), expected)) == []


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"server": "nginx/1.28"}, "The answer names 'nginx/1.28' on the way."),
        ({"server": "daphne", "via": "1.1 varnish"}, "The answer names '1.1 varnish' on the way."),
        ({"server": "daphne", "cf-ray": "8f"}, "The answer names 'Cloudflare' on the way."),
        ({"server": "daphne"}, "a middleware of the site"),
        ({}, "a middleware of the site"),
    ],
)
def test_hop_is_named_by_the_headers(headers, said):
    assert said in explain(make(first=None, latencies=[], headers={**HEADERS, **headers}))


def test_hop_that_hides_its_name_is_known_by_what_it_took_out():
    headers = {name: value for name, value in HEADERS.items() if name != "x-accel-buffering"}
    assert "'X-Accel-Buffering', as nginx does" in explain(make(first=None, latencies=[], headers=headers))


def test_stream_that_comes_at_once_behind_a_proxy_is_held_back_by_it():
    held = make(first=None, latencies=[], headers={**HEADERS, "server": "nginx"})
    assert "come at once, so it is what stands between, nginx" in explain(held, ("http://inner", make()))


def test_stream_that_is_held_behind_the_proxy_as_well_is_held_by_the_site():
    held = make(first=None, latencies=[])
    assert "At http://inner it is the same" in explain(held, ("http://inner", held))


def test_first_frame_that_is_late_is_told_of_with_its_time():
    assert "the first frame came after 6.5 s, with the end of the task" in explain(make(first=6.5, is_released=True))


def unanswered(**values: Any) -> Watched:
    return make(status=0, first=None, latencies=[], headers={"server": "nginx/1.28"}, **values)


def test_request_that_is_not_answered_has_the_hop_and_cure_of_a_stream_that_is_held():
    (finding,) = judge(URL, unanswered(), EXPECTED)
    assert isinstance(finding, Finding)
    assert ("names 'nginx/1.28'" in finding.what, "by --behind" in finding.what, finding.cure) == (
        True,
        True,
        find_cure("nginx"),
    )


def test_request_that_is_not_answered_is_held_between_if_the_server_answers_at_once():
    said = explain(unanswered(), ("http://inner", make()))
    assert "At http://inner they come at once, so it is what stands between, nginx/1.28" in said


def test_request_that_was_broken_off_is_told_of_by_its_error_alone():
    said = explain(unanswered(error="ConnectionRefusedError: refused"))
    assert (
        said == f"The request to {URL} for a stream was broken off without an answer: ConnectionRefusedError: refused."
    )


@pytest.mark.parametrize(
    ("server", "cure"),
    [
        ("nginx/1.28", "proxy_buffering off"),
        ("Apache/2.4", "flushpackets"),
        ("Caddy", "flush_interval"),
        ("x", "Have each"),
    ],
)
def test_cure_is_that_of_the_hop(server, cure):
    assert cure in find_cure(name_hop({"server": server}))
