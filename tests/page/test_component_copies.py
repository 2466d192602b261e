"""Several copies of the script in one page, and several pages of one site in a browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.browser import needs_chromium, open_tab
from tests.support.bundles import FOLDER
from tests.support.stub import DONE, RUNNING, Stub, encode, run_stub

pytestmark = [needs_chromium, pytest.mark.slow]

ONE = '<task-progress task-id="t"></task-progress>'


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser) as page:
        yield page


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Several tabs that know of each other."""
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        running.snapshots["t"] = RUNNING
        running.greeting = encode()
        yield running


def load(page: Page, path: str) -> None:
    page.evaluate("path => import(path)", path)


def set_text(page: Page, path: str, name: str, text: str) -> None:
    """Change a text as README says, by the copy at a path."""
    page.evaluate(
        "([path, name, text]) => import(path).then((script) => (script.TaskProgressElement.texts[name] = text))",
        [path, name, text],
    )


def test_text_that_is_set_by_another_copy_is_shown(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect(page.locator("task-progress")).to_have_attribute("data-state", "running")
    set_text(page, "/static/tasks_app/task-progress.js?copy", "stalled", "It hangs")
    stub.streams[0].send(encode(stalled=True))
    expect(page.locator("task-progress .icon")).to_have_attribute("aria-label", "It hangs")


def serve_other_release(stub: Stub, name: str) -> str:
    """Serve a script as another release would have it, and return its path."""
    text = (FOLDER / name).read_text()
    stub.files["/other.js"] = re.sub(r'"tasks_app [0-9a-f]{12}"', '"tasks_app other"', text).encode()
    return "/other.js"


def test_text_that_is_set_by_another_release_is_shown(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect(page.locator("task-progress")).to_have_attribute("data-state", "running")
    set_text(page, serve_other_release(stub, "task-progress.js"), "stalled", "It hangs")
    stub.streams[0].send(encode(stalled=True))
    expect(page.locator("task-progress .icon")).to_have_attribute("aria-label", "It hangs")


def test_other_release_that_comes_second_is_refused_and_says_so(stub: Stub, page: Page):
    stub.show(page, ONE)
    expect(page.locator("task-progress")).to_have_attribute("data-state", "running")
    with page.expect_console_message() as warning:
        load(page, serve_other_release(stub, "task-progress-define.js"))
    assert (warning.value.type, "another release" in warning.value.text) == ("warning", True)
    assert len(stub.streams) == 1


def test_same_release_that_comes_twice_is_one(stub: Stub, page: Page):
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    stub.show(page, ONE)
    load(page, "/static/tasks_app/task-progress-define.js?copy")
    expect(page.locator("task-progress")).to_have_attribute("data-state", "running")
    assert said == []


def open_tabs(stub: Stub, context: BrowserContext, count: int) -> list[Page]:
    pages = [context.new_page() for _ in range(count)]
    for page in pages:
        stub.show(page, ONE)
        expect(page.locator("task-progress")).to_have_attribute("data-state", "running")
    return pages


def expect_transport(page: Page, transport: str) -> None:
    expect(page.locator("task-progress")).to_have_attribute("data-transport", transport)


def test_tabs_beyond_the_fourth_poll_so_that_no_tab_waits_for_a_connection(stub: Stub, context: BrowserContext):
    pages = open_tabs(stub, context, 7)
    for page, transport in zip(pages, ["stream"] * 4 + ["polling"] * 3, strict=True):
        expect_transport(page, transport)


def test_tab_that_polls_gets_a_stream_once_another_tab_is_closed(stub: Stub, context: BrowserContext):
    *others, last = open_tabs(stub, context, 5)
    expect_transport(last, "polling")
    others[0].close()
    expect_transport(last, "stream")


def test_tab_without_a_live_task_leaves_its_stream_to_others(stub: Stub, context: BrowserContext):
    *others, last = open_tabs(stub, context, 5)
    expect_transport(last, "polling")
    others[0].locator("task-progress").evaluate("element => element.remove()")
    expect_transport(last, "stream")


def test_tab_whose_task_has_ended_leaves_its_stream_to_others(stub: Stub, context: BrowserContext):
    *_, last = open_tabs(stub, context, 5)
    expect_transport(last, "polling")
    stub.streams[0].send(encode(DONE) + encode({}, event="end"))
    expect_transport(last, "stream")


LEASE = """(milliseconds) => [0, 1, 2, 3].forEach((number) => {
  const lease = { id: "of another tab", until: Date.now() + milliseconds };
  localStorage.setItem(`tasks_app stream ${number} ${location.origin}`, JSON.stringify(lease));
})"""


def test_permit_of_a_tab_that_has_crashed_runs_out(stub: Stub, page: Page):
    page.clock.install()
    stub.show(page)
    page.evaluate(LEASE, 15_000)
    page.locator("main").evaluate(f"main => main.insertAdjacentHTML('beforeend', {ONE!r})")
    expect_transport(page, "polling")
    page.clock.fast_forward(20_000)
    expect_transport(page, "stream")


def test_permit_that_a_wrong_clock_left_is_free(stub: Stub, page: Page):
    stub.show(page)
    page.evaluate(LEASE, 3_600_000)
    page.locator("main").evaluate(f"main => main.insertAdjacentHTML('beforeend', {ONE!r})")
    expect_transport(page, "stream")


def test_tab_that_took_the_permit_of_another_at_the_same_moment_gives_way(stub: Stub, page: Page):
    page.clock.install()
    stub.show(page, ONE)
    expect_transport(page, "stream")
    page.evaluate(LEASE, 15_000)
    page.clock.run_for(6000)
    expect_transport(page, "polling")


def test_page_that_may_store_nothing_has_its_stream(stub: Stub, page: Page):
    page.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('no', 'QuotaExceededError'); };")
    stub.show(page, ONE)
    expect_transport(page, "stream")
