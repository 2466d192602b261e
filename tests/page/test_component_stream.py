"""How components are connected: one stream for all, which comes back whatever happens to it. A stub is the server."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tasks_app.streaming.frames import encode_refused
from tests.support.browser import needs_chromium, open_tab
from tests.support.stub import DONE, RUNNING, Stub, encode, make_component, run_stub
from tests.support.waiting import wait_until

pytestmark = needs_chromium

ONE = '<task-progress task-id="t"></task-progress>'
FIRST_EVENT, CHECK, SILENCE, HIDDEN = 10_000, 20_000, 45_000, 15_000
HEARTBEAT = b"event: heartbeat\ndata: {}\n\n"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    # Chromium writes each request that fails to the console.
    with open_tab(browser, expected_errors=("Failed to load resource", "MIME type")) as page:
        page.clock.install()
        yield page


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        running.snapshots["t"] = RUNNING
        running.greeting = encode()
        yield running


def make(*task_ids: str, attributes: str = "") -> list[str]:
    return [f'<task-progress task-id="{task_id}" {attributes}></task-progress>' for task_id in task_ids]


def expect_transport(page: Page, transport: str) -> None:
    expect(page.locator("task-progress").first).to_have_attribute("data-transport", transport)


def expect_percent(page: Page, percent: int) -> None:
    expect(page.locator(".percent").first).to_have_text(f"{percent}%")


def set_hidden(page: Page, is_hidden: bool) -> None:
    """Say that the tab is hidden, or is not: there is no other way to hide one of a browser without a window."""
    page.evaluate(
        """(isHidden) => {
          Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_hidden,
    )


def let_requests_arrive(page: Page) -> None:
    """Wait until what the page has asked for so far is on its way."""
    page.evaluate("fetch('/barrier').then((response) => response.text())")


def run_by_seconds(page: Page, seconds: int) -> None:
    """Let time pass second by second, so that each request is answered within its second."""
    for _ in range(seconds):
        page.clock.run_for(1000)
        let_requests_arrive(page)


# Sharing


def test_fifty_components_share_one_stream(stub: Stub, page: Page):
    task_ids = [f"task-{number}" for number in range(50)]
    stub.show(page, *make(*task_ids))
    expect_transport(page, "stream")
    assert len(stub.streams) == 1
    assert stub.streams[0].query == {"heartbeat": ["event"], "task": task_ids}


def test_two_components_of_one_task_ask_for_it_once(stub: Stub, page: Page):
    stub.show(page, *make("t", "t"))
    expect(page.locator(".percent").last).to_have_text("42%")
    assert stub.streams[0].query["task"] == ["t"]


def test_more_tasks_than_one_stream_may_name_are_spread(stub: Stub, page: Page):
    stub.show(page, *make(*[f"task-{number}" for number in range(130)]))
    stub.wait_for_stream(1)
    assert sorted(len(stream.query["task"]) for stream in stub.streams) == [30, 100]


@pytest.mark.slow
def test_page_leaves_connections_for_others_however_many_tasks_it_shows(stub: Stub, page: Page):
    task_ids = [f"task-{number}" for number in range(330)]
    stub.snapshots |= {task_id: {**RUNNING, "task_id": task_id} for task_id in task_ids}
    stub.show(page, *make(*task_ids))
    expect(page.locator("task-progress[data-transport=polling][data-state=running]")).to_have_count(30)
    expect(page.locator("task-progress[data-transport=stream]")).to_have_count(300)
    assert len(stub.streams) == 3
    page.locator("main").evaluate("main => [...main.children].slice(0, 200).forEach((child) => child.remove())")
    page.clock.run_for(5000)
    expect(page.locator("task-progress[data-transport=stream]")).to_have_count(131)


def test_each_task_brings_its_token(stub: Stub, page: Page):
    stub.show(page, *make("a", attributes='token="ta"'), *make("b", attributes='token="t&b"'))
    stub.wait_for_stream()
    assert stub.streams[0].query == {"heartbeat": ["event"], "task": ["a", "b"], "token": ["ta", "t&b"]}


def test_task_that_could_not_be_seen_is_asked_for_again_with_a_new_token(stub: Stub, page: Page):
    stub.show(page, '<task-progress task-id="t" token="old"></task-progress>')
    expect_percent(page, 42)
    stub.greeting = encode({"task_id": "t"}, event="missing")
    del stub.snapshots["t"]
    stub.streams[0].close()
    expect_transport(page, "connecting")
    page.clock.run_for(1000)
    expect(page.locator("task-progress")).to_have_attribute("data-state", "missing")
    stub.greeting = encode(seq=8, progress=50)
    stub.snapshots["t"] = {**RUNNING, "seq": 8, "progress": 50}  # the page may be asking for it at this moment
    page.evaluate("document.querySelector('task-progress').setAttribute('token', 'new')")
    page.clock.run_for(1)
    expect_percent(page, 50)
    expect(page.locator("task-progress")).to_have_attribute("data-state", "running")
    assert stub.streams[-1].query["token"] == ["new"]


def test_long_tokens_are_spread_so_that_no_address_is_too_long(stub: Stub, page: Page):
    stub.show(page, *[make(f"task-{number}", attributes=f'token="{"x" * 1000}"')[0] for number in range(10)])
    stub.wait_for_stream(1)
    assert sorted(len(stream.query["task"]) for stream in stub.streams) == [5, 5]


def test_app_under_another_path_is_found_there(stub: Stub, page: Page):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    stub.show(page, '<task-progress task-id="t" src="/jobs"></task-progress>')
    wait_until(lambda: page.evaluate("1") and "/jobs/task-progress" in asked, "the stream is asked for there")


# Components that come and go


def test_component_that_comes_later_is_taken_in_and_the_old_stream_stays_until_the_new_one_speaks(
    stub: Stub, page: Page
):
    stub.show(page, *make("t"))
    expect_percent(page, 42)
    stub.greeting = None
    page.locator("main").evaluate("main => main.insertAdjacentHTML('beforeend', '<task-progress task-id=\"u\">')")
    page.clock.run_for(1)
    new = stub.wait_for_stream(1)
    assert new.query["task"] == ["t", "u"]
    stub.streams[0].send(encode(seq=8, progress=50))
    expect_percent(page, 50)
    new.send(encode(seq=9, progress=60))
    expect_percent(page, 60)
    stub.streams[0].send(encode(seq=10, progress=70) * 100)
    wait_until(lambda: page.evaluate("1") and not send_and_look(stub), "the old stream was closed")
    expect_percent(page, 60)


def send_and_look(stub: Stub) -> bool:
    """Send something on the first stream, and return whether it is still open."""
    stub.streams[0].send(HEARTBEAT)
    return stub.streams[0].is_open


def test_snapshot_that_is_older_than_what_is_known_is_not_shown(stub: Stub, page: Page):
    page.add_init_script(
        "window.seen = []; document.addEventListener('task-progress:change', ({ detail }) => seen.push(detail.seq));"
    )
    stub.show(page, ONE)
    expect_percent(page, 42)
    stub.streams[0].send(encode(seq=9, progress=60) + encode(seq=8, progress=50) + encode(seq=9, stalled=True))
    expect(page.locator("task-progress")).to_have_attribute("data-state", "stalled")
    assert page.evaluate("seen") == [7, 9, 9]


def test_component_that_is_moved_keeps_the_stream(stub: Stub, page: Page):
    stub.show(page, *make("t", "u"))
    expect_percent(page, 42)
    page.evaluate("document.querySelector('main').append(document.querySelector('task-progress'))")
    page.clock.run_for(1000)
    let_requests_arrive(page)
    assert len(stub.streams) == 1


def test_stream_is_closed_when_no_component_is_left(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect_percent(page, 42)
    page.evaluate("document.querySelector('task-progress').remove()")
    page.clock.run_for(1)
    wait_until(lambda: page.evaluate("1") and not send_and_look(stub), "the stream was closed")
    assert len(stub.streams) == 1


def test_stream_is_closed_when_all_tasks_have_ended_and_never_asked_for_again(stub: Stub, page: Page):
    stub.greeting = encode(DONE) + encode({}, event="end")
    stub.show(page, ONE)
    expect(page.locator("task-progress")).to_have_attribute("data-state", "succeeded")
    wait_until(lambda: page.evaluate("1") and not send_and_look(stub), "the stream was closed")
    page.clock.run_for(120_000)
    let_requests_arrive(page)
    assert len(stub.streams) == 1


def test_task_of_which_the_page_knows_the_end_is_not_asked_for(stub: Stub, page: Page):
    stub.show(page, make_component(**DONE))
    expect(page.locator("task-progress")).to_have_attribute("data-state", "succeeded")
    page.clock.run_for(1000)
    let_requests_arrive(page)
    assert not stub.streams


# Losing the connection


def test_stream_that_breaks_is_opened_again(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect_percent(page, 42)
    stub.greeting = encode(seq=8, progress=50)
    stub.streams[0].close()
    expect_transport(page, "connecting")
    page.clock.run_for(1000)
    expect_percent(page, 50)
    expect_transport(page, "stream")


def test_reader_is_told_when_the_connection_is_lost_for_long(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect_percent(page, 42)
    stub.is_down = True
    stub.streams[0].close()
    expect_transport(page, "connecting")
    expect(page.locator(".status")).to_have_text("Importing rows")
    page.clock.run_for(3001)
    expect(page.locator(".status")).to_have_text("Reconnecting…")
    stub.is_down = False
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator(".status")).to_have_text("Importing rows")


@pytest.mark.slow
def test_waits_grow_to_thirty_seconds_at_most_and_are_drawn_from_zero(stub: Stub, page: Page):
    page.add_init_script(
        """
        window.waits = [];
        const set = window.setTimeout;
        window.setTimeout = (callback, wait, ...rest) => (waits.push(wait), set(callback, wait, ...rest));
        Math.random = () => 0.25;
        """
    )
    others = {0, 1750, 3000, FIRST_EVENT}  # taking components in, polling, telling the reader, waiting for a byte
    stub.stream_status = 503
    stub.show(page, ONE)

    def get_waits_after_another_second() -> list[float]:
        page.clock.run_for(1000)
        let_requests_arrive(page)
        return [wait for wait in page.evaluate("waits") if wait not in others]

    wait_until(lambda: len(get_waits_after_another_second()) >= 8, "it has tried eight times")
    assert get_waits_after_another_second()[:8] == [250, 500, 1000, 2000, 4000, 7500, 7500, 7500]


def test_silence_of_three_heartbeats_means_dead(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect_percent(page, 42)
    stub.greeting = encode(seq=8, progress=50)
    page.clock.run_for(SILENCE - 1000)
    let_requests_arrive(page)
    assert len(stub.streams) == 1
    page.clock.run_for(1001)
    expect_percent(page, 50)
    assert len(stub.streams) == 2


def test_heartbeats_keep_the_stream(stub: Stub, page: Page):
    page.add_init_script(
        """
        window.beats = 0;
        const add = EventSource.prototype.addEventListener;
        EventSource.prototype.addEventListener = function (name, ...rest) {
          add.call(this, name, ...rest);
          add.call(this, name, () => (beats += name === "heartbeat"));
        };
        """
    )
    stub.show(page, ONE)
    expect_percent(page, 42)
    for count in range(1, 5):
        page.clock.run_for(40_000)
        stub.streams[0].send(HEARTBEAT)
        page.wait_for_function("(count) => beats === count", arg=count)
    assert len(stub.streams) == 1


@pytest.mark.parametrize("event", ["online", "pageshow"])
def test_stream_is_opened_at_once_when_the_network_or_the_page_is_back(stub: Stub, page: Page, event):
    page.add_init_script("Math.random = () => 30;")  # so that the first wait is one of half a minute
    stub.show(page, ONE)
    expect_percent(page, 42)
    stub.streams[0].close()
    expect_transport(page, "connecting")
    page.evaluate(f"dispatchEvent(new Event('{event}'))")
    expect_transport(page, "stream")


def test_offline_and_online_again_recovers(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect_percent(page, 42)
    page.context.set_offline(True)
    stub.streams[0].close()
    expect_transport(page, "connecting")
    page.clock.run_for(5000)
    expect_transport(page, "connecting")
    stub.greeting = encode(seq=8, progress=50)
    page.context.set_offline(False)
    expect_percent(page, 50)


# Polling


def test_stream_without_a_byte_for_ten_seconds_is_replaced_by_polling(stub: Stub, page: Page):
    stub.greeting = None
    stub.show(page, ONE)
    stub.wait_for_stream()
    page.clock.run_for(FIRST_EVENT)
    expect_transport(page, "polling")
    expect_percent(page, 42)
    stub.snapshots["t"] = DONE
    page.clock.run_for(3000)
    expect(page.locator("task-progress")).to_have_attribute("data-state", "succeeded")
    polls = len(stub.find_requests("GET", "/tasks/t"))
    page.clock.run_for(10_000)
    let_requests_arrive(page)
    assert len(stub.find_requests("GET", "/tasks/t")) == polls


def test_stream_is_tried_again_while_polling_and_then_replaces_it(stub: Stub, page: Page):
    page.add_init_script("Math.random = () => 0.5;")  # it is, after a minute
    stub.greeting = None
    stub.show(page, ONE)
    stub.wait_for_stream()
    page.clock.run_for(FIRST_EVENT)
    expect_transport(page, "polling")
    stub.greeting = encode(seq=8, progress=50)
    page.clock.run_for(60_000)
    expect_transport(page, "stream")
    expect_percent(page, 50)
    polls = len(stub.find_requests("GET", "/tasks/t"))
    page.clock.run_for(CHECK - 1000)
    let_requests_arrive(page)
    assert len(stub.find_requests("GET", "/tasks/t")) == polls


@pytest.mark.slow
def test_polling_goes_on_where_a_stream_is_tried_again_in_vain(stub: Stub, page: Page):
    page.add_init_script("Math.random = () => 0.5;")  # it is, after a minute
    stub.greeting = None
    stub.show(page, ONE)
    stub.wait_for_stream()
    page.clock.run_for(FIRST_EVENT)
    run_by_seconds(page, 60 + FIRST_EVENT // 1000 + 5)
    assert len(stub.streams) == 2
    stub.snapshots["t"] = {**RUNNING, "seq": 8, "progress": 50}
    run_by_seconds(page, 5)
    expect_percent(page, 50)


@pytest.mark.slow
def test_polling_of_a_hidden_tab_goes_on_when_a_component_is_added(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect_percent(page, 42)
    set_hidden(page, True)
    page.clock.run_for(HIDDEN)
    expect_transport(page, "polling")
    let_requests_arrive(page)
    page.locator("main").evaluate("main => main.insertAdjacentHTML('beforeend', '<task-progress task-id=\"u\">')")
    page.clock.run_for(1)
    stub.snapshots["t"] = {**RUNNING, "seq": 8, "progress": 50}
    run_by_seconds(page, 25)
    expect_percent(page, 50)


def test_stream_whose_beginning_alone_gets_through_is_replaced_by_polling(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect_percent(page, 42)
    stub.snapshots["t"] = {**RUNNING, "seq": 8, "progress": 50}
    page.clock.run_for(CHECK)
    expect_percent(page, 50)
    page.clock.run_for(2000)
    expect_transport(page, "polling")


def test_stream_of_a_task_that_has_nothing_to_tell_is_kept(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect_percent(page, 42)

    def is_looked_at_after_another_second(count: int) -> bool:
        page.clock.run_for(1000)
        let_requests_arrive(page)
        return len(stub.find_requests("GET", "/tasks/t")) >= count

    for count in (1, 2):
        wait_until(lambda count=count: is_looked_at_after_another_second(count), "it looks again")
    expect_transport(page, "stream")
    assert len(stub.streams) == 1


def test_stream_that_has_shown_that_it_gets_through_is_not_doubted(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect_percent(page, 42)
    page.clock.run_for(2000)
    stub.streams[0].send(encode(seq=8, progress=50))
    expect_percent(page, 50)
    page.clock.run_for(2 * CHECK)
    let_requests_arrive(page)
    assert stub.find_requests("GET", "/tasks/t") == []


@pytest.mark.parametrize("status", [501, 503])
def test_refused_stream_is_replaced_by_polling_at_once(stub: Stub, page: Page, status):
    stub.stream_status = status
    stub.show(page, ONE)
    expect_transport(page, "polling")
    expect_percent(page, 42)


def test_browser_without_streams_polls(stub: Stub, page: Page):
    page.add_init_script("delete window.EventSource;")  # as some extensions and embedded browsers do
    stub.show(page, ONE)
    expect_transport(page, "polling")
    expect_percent(page, 42)
    stub.snapshots["t"] = DONE
    run_by_seconds(page, 5)
    expect(page.locator("task-progress")).to_have_attribute("data-state", "succeeded")
    assert stub.streams == []


def test_stream_that_is_refused_for_now_is_polled_and_tried_again_when_the_server_says(stub: Stub, page: Page):
    stub.greeting = encode_refused({"status": 429}, retry_ms=60_000)
    stub.show(page, ONE)
    expect_transport(page, "polling")
    expect_percent(page, 42)
    stub.greeting = encode(seq=8, progress=50)
    for _ in range(59):
        page.clock.run_for(1000)
    let_requests_arrive(page)
    assert len(stub.streams) == 1
    page.clock.run_for(2000)
    expect_transport(page, "stream")
    expect_percent(page, 50)


def test_stream_that_ends_before_its_first_event_is_replaced_by_polling(stub: Stub, page: Page):
    stub.greeting = None
    stub.show(page, ONE)
    stub.wait_for_stream().close()
    expect_transport(page, "polling")
    expect_percent(page, 42)


def test_refused_streams_do_not_make_it_poll_more_often(stub: Stub, page: Page):
    page.add_init_script("Math.random = () => 0;")  # the stream is tried again at once
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    stub.stream_status = 501
    stub.show(page, ONE)
    expect_transport(page, "polling")
    wait_until(lambda: page.evaluate("1") and asked.count("/task-progress") >= 12, "it was refused")
    assert asked.count("/tasks/t") < 6


def test_polling_sends_the_token_in_a_header_and_finds_what_is_missing(stub: Stub, page: Page):
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))
    stub.stream_status = 501
    del stub.snapshots["t"]
    stub.show(page, '<task-progress task-id="t" token="a:b"></task-progress>')
    expect(page.locator("task-progress")).to_have_attribute("data-state", "missing")
    polls = [request for request in asked if "/tasks/t" in request.url]
    assert {(urlsplit(poll.url).query, poll.headers.get("authorization")) for poll in polls} == {("", "Bearer a:b")}


def test_polling_puts_the_token_into_the_query_behind_a_proxy_with_a_password(stub: Stub, page: Page):
    def answer(route: Route) -> None:
        if "authorization" in route.request.headers:
            route.fulfill(status=401, headers={"WWW-Authenticate": "Basic"})
        else:
            route.continue_()

    page.route("**/tasks/t*", answer)
    stub.stream_status = 501
    stub.show(page, '<task-progress task-id="t" token="a:b"></task-progress>')
    expect_percent(page, 42)


def test_hidden_tab_lets_go_of_its_stream_and_polls_until_it_is_seen_again(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect_percent(page, 42)
    set_hidden(page, True)
    page.clock.run_for(HIDDEN)
    expect_transport(page, "polling")
    wait_until(lambda: page.evaluate("1") and not send_and_look(stub), "the stream was closed")
    stub.greeting = encode(seq=8, progress=50)
    set_hidden(page, False)
    expect_transport(page, "stream")
    expect_percent(page, 50)


def test_glance_at_another_tab_keeps_the_stream(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect_percent(page, 42)
    set_hidden(page, True)
    page.clock.run_for(HIDDEN // 2)
    set_hidden(page, False)
    page.clock.run_for(HIDDEN)
    let_requests_arrive(page)
    assert len(stub.streams) == 1
    expect_transport(page, "stream")
