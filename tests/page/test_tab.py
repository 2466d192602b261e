"""What the tab of a page shows of its tasks: the title and the icon. A stub answers the components byte by byte."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import needs_chromium, open_tab
from tests.support.stub import DONE, RUNNING, Stub, encode, make_component, run_stub

pytestmark = [needs_chromium, pytest.mark.slow]

#: As `Stub.show` has it.
TITLE = "Components"
ICON = "data:,"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser) as page:
        yield page


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        yield running


def show(stub: Stub, page: Page, *task_ids: str, attributes: str = "page-title", **snapshot: Any) -> None:
    """Show components whose tasks are at 42 %, each named after its id."""
    stub.greeting = b"".join(encode(task_id=name, **snapshot) for name in task_ids)
    stub.show(page, *[make_component(f"{attributes} label={name}", task_id=name, **snapshot) for name in task_ids])


def find_icons(page: Page) -> list[str]:
    """Return the addresses of the page's icons."""
    return page.locator("link[rel=icon]").evaluate_all("links => links.map((link) => link.href)")


def expect_ring(page: Page) -> None:
    expect(page.locator("link[rel=icon][href^='data:image/svg']")).to_have_count(1)


# The title


def test_title_shows_the_progress_and_is_given_back_at_the_end(stub: Stub, page: Page):
    show(stub, page, "orders")
    expect(page).to_have_title("42% · orders")
    stub.wait_for_stream().send(encode(task_id="orders", seq=8, progress=50, percent=50))
    expect(page).to_have_title("50% · orders")
    stub.wait_for_stream().send(encode(DONE, task_id="orders"))
    expect(page).to_have_title(TITLE)


@pytest.mark.parametrize(
    ("snapshot", "title"),
    [
        ({"percent": None, "progress": 0}, "Importing rows · orders"),
        ({"state": "queued", "status": "Queued", "percent": None, "queue_position": 3}, "3rd in line · orders"),
    ],
)
def test_title_of_a_task_without_a_share_says_what_it_does(stub: Stub, page: Page, snapshot, title):
    show(stub, page, "orders", **snapshot)
    expect(page).to_have_title(title)


def test_title_is_left_alone_without_the_attribute(stub: Stub, page: Page):
    show(stub, page, "orders", attributes="")
    expect(page.locator("task-progress .percent")).to_have_text("42%")
    expect(page).to_have_title(TITLE)


def test_title_is_left_alone_where_a_framework_says_false(stub: Stub, page: Page):
    show(stub, page, "orders", attributes='page-title="false"')
    expect(page.locator("task-progress .percent")).to_have_text("42%")
    expect(page).to_have_title(TITLE)


def test_title_of_a_page_whose_tasks_have_ended_is_its_own(stub: Stub, page: Page):
    stub.show(page, make_component("page-title", **DONE))
    expect(page.locator("task-progress")).to_have_attribute("data-state", "succeeded")
    expect(page).to_have_title(TITLE)


@pytest.mark.parametrize(
    "act", ["element.remove()", "element.removeAttribute('page-title')", "element.setAttribute('task-id', '')"]
)
def test_title_is_given_back_when_its_component_goes(stub: Stub, page: Page, act):
    show(stub, page, "orders")
    expect(page).to_have_title("42% · orders")
    page.locator("task-progress").evaluate(f"element => {act}")
    expect(page).to_have_title(TITLE)


def test_title_comes_with_the_attribute(stub: Stub, page: Page):
    show(stub, page, "orders", attributes="")
    page.locator("task-progress").evaluate("element => element.toggleAttribute('page-title')")
    expect(page).to_have_title("42% · orders")


def test_title_of_several_tasks_is_their_mean_until_the_last_has_ended(stub: Stub, page: Page):
    show(stub, page, "a", "b")
    expect(page).to_have_title("42% · 2 tasks")
    stream = stub.wait_for_stream()
    stream.send(encode(DONE, task_id="a"))
    expect(page).to_have_title("71% · 2 tasks")
    stream.send(encode({**RUNNING, "state": "failed"}, task_id="b", seq=99))
    expect(page).to_have_title(TITLE)


def test_task_that_failed_counts_no_longer_in_the_title_of_others(stub: Stub, page: Page):
    show(stub, page, "a", "b")
    stub.wait_for_stream().send(encode({**RUNNING, "state": "failed"}, task_id="a", seq=99))
    expect(page).to_have_title("42% · b")


def test_title_that_another_script_has_set_stays(stub: Stub, page: Page):
    show(stub, page, "orders")
    expect(page).to_have_title("42% · orders")
    page.evaluate("document.title = '(1) Inbox'")
    stub.wait_for_stream().send(encode(task_id="orders", seq=8, progress=50, percent=50))
    expect(page.locator("task-progress .percent")).to_have_text("50%")
    expect(page).to_have_title("(1) Inbox")
    stub.wait_for_stream().send(encode(DONE, task_id="orders"))
    expect(page.locator("task-progress")).to_have_attribute("data-state", "succeeded")
    expect(page).to_have_title("(1) Inbox")


def test_title_goes_on_when_another_script_has_put_it_back(stub: Stub, page: Page):
    show(stub, page, "orders")
    expect(page).to_have_title("42% · orders")
    page.evaluate("document.title = '(1) Inbox'")
    page.evaluate(f"document.title = {json.dumps(TITLE)}")
    stub.wait_for_stream().send(encode(task_id="orders", seq=8, progress=50, percent=50))
    expect(page).to_have_title("50% · orders")


def test_component_that_is_moved_keeps_the_title(stub: Stub, page: Page):
    show(stub, page, "orders")
    page.evaluate("document.querySelector('main').append(document.querySelector('task-progress'))")
    expect(page).to_have_title("42% · orders")


# The icon


def test_icon_becomes_a_ring_and_is_given_back_at_the_end(stub: Stub, page: Page):
    show(stub, page, "orders", attributes="page-icon")
    expect_ring(page)
    first = find_icons(page)
    stub.wait_for_stream().send(encode(task_id="orders", seq=8, progress=90, percent=90))
    page.wait_for_function("url => document.querySelector('link[rel=icon]').href !== url", arg=first[0])
    stub.wait_for_stream().send(encode(DONE, task_id="orders"))
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", ICON)
    assert find_icons(page) == [ICON]


def test_icon_alone_leaves_the_title(stub: Stub, page: Page):
    show(stub, page, "orders", attributes="page-icon")
    expect_ring(page)
    expect(page).to_have_title(TITLE)


def test_icon_is_given_back_when_its_component_goes(stub: Stub, page: Page):
    show(stub, page, "orders", attributes="page-icon")
    expect_ring(page)
    page.locator("task-progress").evaluate("element => element.remove()")
    assert find_icons(page) == [ICON]


def test_ring_can_be_drawn(stub: Stub, page: Page):
    show(stub, page, "orders", attributes="page-icon")
    expect_ring(page)
    size = page.evaluate(
        "async (url) => { const image = new Image(); image.src = url; await image.decode(); return image.width; }",
        find_icons(page)[0],
    )
    assert size > 0


def test_policy_that_forbids_the_ring_leaves_the_title_and_hears_one_report(browser: Browser, stub: Stub):
    policy = '<meta http-equiv="Content-Security-Policy" content="img-src \'self\'">'
    with open_tab(browser, expected_errors=("Content Security Policy",)) as page:
        page.add_init_script("window.reports = 0; addEventListener('securitypolicyviolation', () => (reports += 1));")
        stub.show(page, make_component("page-title page-icon label=orders", task_id="orders"), head=policy)
        page.wait_for_function("reports > 0")
        before = page.evaluate("reports")
        for seq, progress in enumerate((50, 60, 70), start=8):
            stub.wait_for_stream().send(encode(task_id="orders", seq=seq, progress=progress, percent=progress))
            expect(page).to_have_title(f"{progress}% · orders")
        assert find_icons(page) == [ICON]
        assert page.evaluate("reports") == before
