"""The tokens that came with a page: what opens its streams, and how the session renews them. A stub is the server."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.page.test_component_stream import (
    HEARTBEAT,
    expect_percent,
    expect_transport,
    let_requests_arrive,
    make,
)
from tests.support.browser import needs_chromium, open_tab
from tests.support.component_site import make_url as make_page_url
from tests.support.monitor_site import LI, log_in, make_task, put_tasks, run_monitor_site
from tests.support.stub import RUNNING, Stub, encode, run_stub
from tests.support.waiting import wait_until

pytestmark = [needs_chromium, pytest.mark.slow]

LIFE = 40  # seconds; a stream may be silent for so long
STEP = 8  # less than the time in which a request must be answered
OLD = make("t", attributes=f'token="old" token-age="{LIFE}"')


COUNT_HEARTBEATS = """
  window.beats = 0;
  const add = EventSource.prototype.addEventListener;
  EventSource.prototype.addEventListener = function (name, ...rest) {
    add.call(this, name, ...rest);
    add.call(this, name, () => (beats += name === "heartbeat"));
  };
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser, expected_errors=("Failed to load resource",)) as page:
        page.clock.install()
        page.add_init_script(COUNT_HEARTBEATS)
        yield page


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        running.snapshots["t"] = RUNNING
        running.greeting = encode()
        running.token_answer = (200, "new")
        running.token_max_age = LIFE
        yield running


def run(page: Page, seconds: float) -> None:
    """Let time pass, in steps within which each request is answered before it is given up."""
    while seconds > 0:
        page.clock.run_for(min(seconds, STEP) * 1000)
        let_requests_arrive(page)
        seconds -= STEP


def wait_for_token_request(page: Page, stub: Stub) -> None:
    """Wait until new tokens are asked for, while the page goes on."""
    wait_until(lambda: page.evaluate("1") and stub.token_requests, "new tokens are asked for")


def pass_life(page: Page, stub: Stub) -> None:
    """Let the life of a token pass but for its last moments, in which it has been renewed."""
    count = len(stub.token_requests)
    with page.expect_response(lambda response: urlsplit(response.url).path.endswith("/tasks/tokens")):
        run(page, LIFE * 0.97)
    let_requests_arrive(page)
    assert len(stub.token_requests) == count + 1


def end_stream(page: Page, stub: Stub) -> dict[str, list[str]]:
    """End the last stream as a server does when its tokens expire, and return the query of the next one."""
    count = len(stub.streams)
    stub.streams[-1].send(encode())
    stub.streams[-1].close()
    wait_until(lambda: not stub.streams[-1].is_open, "the stream has ended")
    expect_transport(page, "connecting")
    page.clock.run_for(1000)
    return stub.wait_for_stream(count).query


def beat(page: Page, stub: Stub) -> None:
    """Let the longest time pass for which a stream may be silent, and send a heartbeat."""
    count = page.evaluate("beats")
    run(page, LIFE)
    stub.streams[-1].send(HEARTBEAT)
    page.wait_for_function("(count) => beats > count", arg=count)


@pytest.mark.slow
def test_page_that_stays_open_always_has_tokens_that_are_good(stub: Stub, page: Page):
    page.add_init_script("Math.random = () => 0.5;")  # tokens are renewed after 735 seconds
    stub.token_max_age = 900
    stub.show(page, *make("t", attributes='token="0" token-age="900"'))
    expect_percent(page, 42)
    for count in range(1, 3):
        stub.token_answer = (200, str(count))
        for _ in range(900 // LIFE):
            beat(page, stub)
        assert len(stub.token_requests) == count
        assert end_stream(page, stub)["token"] == [str(count)]
        expect_transport(page, "stream")


def test_next_stream_brings_the_new_tokens(stub: Stub, page: Page):
    stub.show(page, *OLD)
    expect_percent(page, 42)
    assert stub.streams[0].query["token"] == ["old"]
    pass_life(page, stub)
    assert end_stream(page, stub)["token"] == ["new"]
    expect_transport(page, "stream")


def test_tokens_are_renewed_in_the_last_third_of_their_life(stub: Stub, page: Page):
    stub.show(page, *OLD)
    expect_percent(page, 42)
    run(page, LIFE * 0.66)
    assert stub.token_requests == []
    run(page, LIFE * 0.31)
    wait_for_token_request(page, stub)
    assert stub.token_requests == [["t"]]


def test_all_tokens_of_a_page_are_renewed_by_one_request_and_come_back_as_one(stub: Stub, page: Page):
    tags = [make(name, attributes=f'token="{name}" token-age="{LIFE}"')[0] for name in "abc"]
    stub.snapshots = {name: {**RUNNING, "task_id": name} for name in "abcde"}
    stub.greeting = b"".join(map(encode, stub.snapshots.values()))
    stub.show(page, *tags, *make("d"), *make("e", attributes='token="of the author"'))
    expect_transport(page, "stream")
    assert stub.streams[0].query["token"] == ["of the author", "a", "b", "c"]
    pass_life(page, stub)
    assert stub.token_requests == [["a", "b", "c"]]
    assert end_stream(page, stub)["token"] == ["of the author", "new"]


def test_new_tokens_alone_open_no_new_stream(stub: Stub, page: Page):
    stub.show(page, *OLD)
    expect_percent(page, 42)
    pass_life(page, stub)
    page.locator("main").evaluate("main => main.append(main.querySelector('task-progress'))")
    page.clock.run_for(1000)
    let_requests_arrive(page)
    assert len(stub.streams) == 1
    assert end_stream(page, stub)["token"] == ["new"]


@pytest.mark.parametrize("answer", [(200, None), (403, None)], ids=str)
def test_session_alone_serves_whom_new_tokens_are_refused(stub: Stub, page: Page, answer):
    stub.token_answer = answer
    stub.show(page, *OLD)
    expect_percent(page, 42)
    pass_life(page, stub)
    assert "token" not in end_stream(page, stub)
    expect_transport(page, "stream")
    run(page, LIFE)
    assert len(stub.token_requests) == 1


def test_server_that_is_away_is_asked_again_for_tokens(stub: Stub, page: Page):
    stub.token_answer = (503, None)
    stub.show(page, *OLD)
    expect_percent(page, 42)
    run(page, LIFE * 0.97)
    wait_for_token_request(page, stub)
    stub.token_answer = (200, "new")
    run(page, LIFE)
    assert end_stream(page, stub)["token"] == ["new"]


def test_page_that_polls_needs_no_token_that_the_session_renews(stub: Stub, page: Page):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    stub.stream_status = 503
    stub.show(page, *OLD)
    expect_transport(page, "polling")
    expect_percent(page, 42)
    assert [url for url in asked if "/tasks/" in url] == [f"{stub.url}tasks/t"]


def test_token_of_the_author_is_not_renewed(stub: Stub, page: Page):
    stub.show(page, *make("t", attributes='token="mine"'))
    expect_percent(page, 42)
    run(page, LIFE)
    assert stub.token_requests == []
    assert end_stream(page, stub)["token"] == ["mine"]


def test_tokens_that_do_not_fit_are_left_out_and_put_together(stub: Stub, page: Page):
    task_ids = [f"task-{number:030}" for number in range(100)]
    tags = [make(name, attributes=f'token="{"x" * 80}{name}" token-age="{LIFE}"')[0] for name in task_ids]
    stub.show(page, *tags)
    expect_transport(page, "stream")
    assert "token" not in stub.streams[0].query
    page.clock.run_for(1000)
    wait_for_token_request(page, stub)
    assert stub.token_requests == [task_ids]
    let_requests_arrive(page)
    query = end_stream(page, stub)
    assert (query["token"], len(query["task"])) == (["new"], 100)


@pytest.mark.slow
def test_page_keeps_its_stream_for_as_long_as_its_session(browser: Browser, tmp_path: Path):
    """Daphne is the server: its streams end with their tokens."""
    asked: list[str] = []
    with run_monitor_site(tmp_path, TOKEN_MAX_AGE=3) as site, open_tab(browser, expected_errors=("404",)) as page:
        put_tasks(site, [make_task("t1", owner=LI)])
        log_in(site, page, "li")
        page.on("request", lambda request: asked.append(request.url) if "/task-progress?" in request.url else None)
        page.goto(make_page_url(site, "{% load tasks_app %}{% task_progress 't1' %}"))
        wait_until(lambda: page.evaluate("1") and len(asked) >= 4, "streams were opened one after the other")
        tokens = [parse_qs(urlsplit(url).query)["token"][0] for url in asked]
        assert len(set(tokens)) == len(tokens)
        expect(page.locator("task-progress")).to_have_attribute("data-state", "running")
        page.context.clear_cookies(name="sessionid")
        expect(page.locator("task-progress")).to_have_attribute("data-state", "missing")
        assert "token=" not in asked[-1]
