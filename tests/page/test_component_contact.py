"""What readers are told while the server is not heard: never an old bar as if all were well. A stub is the server."""

import re
from collections.abc import Callable, Iterator
from threading import Event
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.page.test_component_stream import FIRST_EVENT, ONE, SILENCE, run_by_seconds
from tests.support.browser import needs_chromium, open_tab
from tests.support.stub import DONE, RUNNING, Stub, encode, make_component, run_stub
from tests.support.waiting import DEADLINE, wait_until

pytestmark = [needs_chromium, pytest.mark.slow]

HTML = b"<!doctype html><title>Sorry</title>"


def answer(status: int, content_type: str = "text/html", body: bytes = HTML) -> Callable[[Any], None]:
    return lambda handler: handler.reply(status, content_type, body)


REFUSALS = {
    "dead behind a proxy": answer(502),
    "error": answer(500),
    "busy": answer(429),
    "forbidden": answer(403),
    "page of a portal": answer(200),
    "page that is not found": answer(404),
    "another task": answer(200, "application/json", b'{"task_id": "other", "state": "succeeded"}'),
    "garbage": answer(200, "application/json", b"{"),
    "nothing in JSON": answer(200, "application/json", b"null"),
    "state of another release": answer(
        200, "application/json", b'{"task_id": "t", "state": "other", "seq": 9, "stages": []}'
    ),
    "no snapshot": answer(200, "application/json", b'{"task_id": "t"}'),
    "no answer": lambda handler: None,
}
LOGINS = {
    "redirect to another host": lambda handler: handler.redirect("http://127.0.0.1:9/login"),
    "redirect": lambda handler: handler.redirect("/login"),
    "401": answer(401, "application/problem+json", b"{}"),
}
COUNT_ERRORS = "window.errors = []; addEventListener('task-progress:error', ({ message }) => errors.push(message));"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser, expected_errors=("Failed to load resource", "MIME type")) as page:
        page.clock.install()
        page.add_init_script(COUNT_ERRORS)
        yield page


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        running.snapshots["t"] = RUNNING
        running.greeting = encode()
        yield running


def show_and_lose(stub: Stub, page: Page, stranger: Callable[[Any], None]) -> None:
    """Show a task of which the server is then heard no longer, but the stranger."""
    stub.show(page, ONE)
    expect_state(page, "running")
    stub.stranger = stranger
    stub.streams[0].close()
    expect_state_within(page, "reconnecting", 4)


def expect_state(page: Page, state: str) -> None:
    expect(page.locator("task-progress")).to_have_attribute("data-state", state)


def expect_state_within(page: Page, state: str, seconds: int) -> None:
    element = page.locator("task-progress")
    for _ in range(seconds):
        if element.get_attribute("data-state") == state:
            return
        run_by_seconds(page, 1)
    expect_state(page, state)


@pytest.mark.parametrize("stranger", [*REFUSALS.values(), *LOGINS.values()], ids=[*REFUSALS, *LOGINS])
def test_server_that_answers_no_longer_is_shown_once_and_found_again(stub: Stub, page: Page, stranger):
    show_and_lose(stub, page, stranger)
    run_by_seconds(page, 10)
    expect(page.locator(".status")).to_have_text("Reconnecting…")
    expect(page.locator(".percent")).to_have_text("42%")
    assert page.evaluate("errors") == ["Reconnecting…"]
    stub.stranger = None
    stub.greeting = encode(seq=8, progress=50)
    expect_state_within(page, "running", 40)
    expect(page.locator(".status")).to_have_text("Importing rows")


def test_time_since_the_last_news_is_counted(stub: Stub, page: Page):
    show_and_lose(stub, page, answer(502))
    expect(page.locator(".meta")).to_have_text(re.compile("last news 0:0[1-9] ago"))
    page.clock.run_for(600_000)
    expect(page.locator(".meta")).to_have_text(re.compile("last news 1[0-9]:[0-5][0-9] ago"))


def test_nothing_moves_and_nothing_is_counted_down_while_the_server_is_not_heard(stub: Stub, page: Page):
    stub.greeting = encode(eta=600, current=42, total=100, unit="rows", rate=2)
    show_and_lose(stub, page, answer(502))
    expect(page.locator(".meta")).not_to_contain_text("left")
    names = page.locator("task-progress").evaluate(
        "host => [...host.shadowRoot.querySelectorAll('*')].map((part) => getComputedStyle(part).animationName)"
    )
    assert set(names) == {"none"}


@pytest.mark.parametrize("stranger", LOGINS.values(), ids=LOGINS)
def test_reader_whose_session_ended_is_led_to_the_login(stub: Stub, page: Page, stranger):
    show_and_lose(stub, page, stranger)
    link = page.get_by_role("link", name="Log in again")
    expect(link).to_have_attribute("href", stub.url)
    stub.stranger = None
    expect_state_within(page, "running", 40)
    expect(link).to_be_hidden()


def test_reader_of_a_compact_component_is_led_to_the_login(stub: Stub, page: Page):
    stub.stranger = LOGINS["redirect"]
    stub.show(page, make_component("compact"))
    expect(page.get_by_role("link", name="Log in again")).to_be_visible()


@pytest.mark.parametrize("stranger", REFUSALS.values(), ids=REFUSALS)
def test_page_that_never_heard_the_server_does_not_connect_for_ever(stub: Stub, page: Page, stranger):
    stub.stranger = stranger
    stub.show(page, ONE)
    expect_state_within(page, "reconnecting", 4)
    expect(page.locator(".meta")).to_have_text("")
    stub.stranger = None
    expect_state_within(page, "running", 40)


def test_server_that_is_lost_while_polling_is_shown(stub: Stub, page: Page):
    stub.stream_status = 501
    stub.show(page, ONE)
    expect_state(page, "running")
    stub.stranger = answer(502)
    expect_state_within(page, "reconnecting", 4)
    stub.stranger = None
    expect_state_within(page, "running", 40)


def test_task_that_is_refused_slows_no_other(stub: Stub, page: Page):
    stub.stream_status = 501
    refuse = answer(401, "application/problem+json", b"{}")
    stub.stranger = lambda handler: refuse(handler) if "bad" in handler.path else stub.answer_as_the_app(handler)
    stub.show(page, ONE, '<task-progress task-id="bad"></task-progress>')
    expect(page.locator("task-progress").first).to_have_attribute("data-state", "running")
    run_by_seconds(page, 20)
    assert len(stub.find_requests("GET", "/tasks/t")) >= 6


def test_answer_of_a_service_worker_is_not_taken_for_the_server(stub: Stub, page: Page):
    stub.files["/worker.js"] = b"""
        addEventListener("install", (event) => event.waitUntil(skipWaiting()));
        addEventListener("activate", (event) => event.waitUntil(clients.claim()));
        addEventListener("fetch", (event) => {
          if (new URL(event.request.url).pathname.startsWith("/task")) {
            event.respondWith(new Response("<h1>You are offline</h1>", { headers: { "Content-Type": "text/html" } }));
          }
        });
    """
    stub.show(page, make_component(task_id="other", **{"state": "succeeded", "finished_at": RUNNING["updated_at"]}))
    page.evaluate("navigator.serviceWorker.register('/worker.js').then(() => navigator.serviceWorker.ready)")
    wait_until(lambda: page.evaluate("navigator.serviceWorker.controller !== null"), "the worker has the page")
    page.locator("main").evaluate(f"main => (main.innerHTML = {ONE!r})")
    expect_state_within(page, "reconnecting", 4)


def test_stream_that_falls_silent_is_shown_after_three_heartbeats(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect_state(page, "running")
    stub.greeting = None
    page.clock.run_for(SILENCE + 1)
    expect_state(page, "reconnecting")


def test_server_that_takes_requests_and_answers_none_is_shown(stub: Stub, page: Page):
    page.add_init_script(
        """AbortSignal.timeout = (milliseconds) => {
          const controller = new AbortController();
          setTimeout(() => controller.abort(new DOMException("", "TimeoutError")), milliseconds);
          return controller.signal;
        };"""  # by the clock of the test
    )
    is_over = Event()
    stub.stranger = lambda handler: is_over.wait(DEADLINE)
    stub.show(page, ONE)
    page.clock.run_for(FIRST_EVENT)
    wait_until(lambda: page.evaluate("1") and stub.find_requests("GET", "/tasks/t"), "it is polled")
    page.clock.run_for(10_001)
    expect_state(page, "reconnecting")
    is_over.set()


def test_ended_task_is_shown_as_it_is_whether_or_not_the_server_is_heard(stub: Stub, page: Page):
    stub.stranger = answer(502)
    stub.show(page, make_component("logs", **DONE))
    run_by_seconds(page, 10)
    expect_state(page, "succeeded")


def test_task_that_is_missing_is_not_said_to_have_stopped(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect_state(page, "running")
    stub.streams[0].send(encode({"task_id": "t"}, event="missing"))
    expect_state(page, "missing")
    expect(page.locator(".percent")).to_have_text("42%")


def test_reader_is_told_by_voice_without_seconds(stub: Stub, page: Page):
    show_and_lose(stub, page, answer(502))
    expect(page.locator(".spoken")).to_have_text("Import customers: Reconnecting…")


@pytest.mark.parametrize("hours", [-1, 1], ids=["behind", "ahead"])
def test_silence_is_reckoned_by_the_time_of_the_server(browser: Browser, stub: Stub, hours):
    told, shown = "2026-03-01T09:41:31.000Z", f"2026-03-01T{9 + hours:02}:41:31Z"
    stub.greeting = encode({"server_time": told}, event="time") + encode(stalled=True)
    with open_tab(browser) as page:
        page.clock.install(time=shown)
        stub.show(page, ONE)
        expect_state(page, "stalled")
        page.clock.run_for(3000)
        expect(page.locator(".status")).to_have_text("No sign of life for 18 s")
