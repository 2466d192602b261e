"""How components ask again for tasks that the server does not find, such as steps that are not sent yet."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.page.test_component_stream import HIDDEN, let_requests_arrive, make, run_by_seconds, set_hidden
from tests.support.browser import needs_chromium, open_tab
from tests.support.stub import DONE, RUNNING, Stub, encode, run_stub
from tests.support.waiting import wait_until

pytestmark = [needs_chromium, pytest.mark.slow]

ONE, TWO = make("t"), make("t", "u")
WITHOUT_T = encode({"task_id": "t"}, event="missing")
ALL_MISSING = WITHOUT_T + encode({}, event="end")
FOUND = {**RUNNING, "seq": 8, "progress": 50}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser, expected_errors=("404 (Not Found)", "501 (Not Implemented)")) as page:
        page.clock.install()
        yield page


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        yield running


def count_asks(stub: Stub, task_id: str = "t") -> int:
    return len(stub.find_requests("GET", f"/tasks/{task_id}"))


def expect_state(page: Page, state: str) -> None:
    expect(page.locator("task-progress").first).to_have_attribute("data-state", state)


def is_found(page: Page) -> bool:
    return page.locator("task-progress").get_attribute("data-state") == "running"


def ask_late(page: Page) -> None:
    """Draw pauses of minutes."""
    page.add_init_script("Math.random = () => 1000;")


def test_missing_task_is_asked_for_until_it_is_found_and_then_followed(stub: Stub, page: Page):
    page.add_init_script(
        "window.errors = 0; document.addEventListener('task-progress:error', () => errors++);"
        "window.changes = 0; document.addEventListener('task-progress:change', () => changes++);"
    )
    stub.greeting = ALL_MISSING
    stub.show(page, *ONE)
    expect_state(page, "missing")
    run_by_seconds(page, 60)
    assert count_asks(stub) >= 3
    stub.greeting = None
    stub.snapshots["t"] = FOUND
    wait_until(lambda: run_by_seconds(page, 1) or is_found(page), "it is found")
    stub.wait_for_stream(1).send(encode(FOUND) + encode(DONE))
    expect_state(page, "succeeded")
    assert page.evaluate("[errors, changes]") == [1, 2]


def test_task_that_is_found_after_its_end_needs_no_stream(stub: Stub, page: Page):
    stub.greeting = ALL_MISSING
    stub.snapshots["t"] = DONE
    stub.show(page, *ONE)
    run_by_seconds(page, 2)
    expect_state(page, "succeeded")
    run_by_seconds(page, 60)
    assert (len(stub.streams), count_asks(stub)) == (1, 1)


def test_pauses_grow_to_thirty_seconds_at_most(stub: Stub, page: Page):
    page.add_init_script("Math.random = () => 1;")
    stub.greeting = ALL_MISSING
    stub.show(page, *ONE)
    expect_state(page, "missing")
    run_by_seconds(page, 1 + 2 + 4 + 8 + 16 + 1)
    assert count_asks(stub) == 5
    run_by_seconds(page, 60)
    assert count_asks(stub) == 7


def test_page_that_misses_many_tasks_asks_for_each_less_often(stub: Stub, page: Page):
    page.add_init_script("Math.random = () => 1;")
    task_ids = [f"gone-{number}" for number in range(40)]

    def count_all() -> list[int]:
        return [count_asks(stub, task_id) for task_id in task_ids]

    stub.greeting = b"".join(encode({"task_id": task_id}, event="missing") for task_id in task_ids)
    stub.show(page, *make(*task_ids))
    expect(page.locator("task-progress[data-state=missing]")).to_have_count(40)
    run_by_seconds(page, 4 + 8 + 2)
    wait_until(lambda: page.evaluate("1") and min(count_all()) == 2, "each was asked for twice")
    assert max(count_all()) == 2


def test_missing_task_is_asked_for_at_once_when_another_gets_to_another_state(stub: Stub, page: Page):
    ask_late(page)
    stub.greeting = WITHOUT_T + encode(task_id="u")
    stub.show(page, *TWO)
    expect_state(page, "missing")
    expect(page.locator(".percent").last).to_have_text("42%")
    stub.snapshots["t"] = FOUND
    stub.streams[-1].send(encode(task_id="u", seq=8, progress=60))
    expect(page.locator(".percent").last).to_have_text("60%")
    let_requests_arrive(page)
    assert count_asks(stub) == 0
    stub.greeting = None
    stub.streams[-1].send(encode(DONE, task_id="u"))
    expect_state(page, "running")
    page.clock.run_for(1)
    assert stub.wait_for_stream(1).query["task"] == ["t"]


def test_missing_task_is_asked_for_once_more_however_many_others_have_ended_meanwhile(stub: Stub, page: Page):
    ask_late(page)
    held: list[Route] = []
    page.route("**/tasks/t", lambda route: held.append(route))
    others = [f"u{number}" for number in range(6)]
    stub.greeting = WITHOUT_T + b"".join(encode(task_id=other) for other in others)
    stub.show(page, *make("t", *others))
    expect(page.locator(".percent").last).to_have_text("42%")
    stub.streams[-1].send(b"".join(encode(DONE, task_id=other) for other in others))
    expect(page.locator("task-progress[data-state=succeeded]")).to_have_count(6)
    let_requests_arrive(page)
    assert len(held) == 1
    held[0].continue_()
    wait_until(lambda: page.evaluate("1") and len(held) == 2, "it is asked for once more, after all have ended")
    held[1].continue_()
    let_requests_arrive(page)
    assert (len(held), count_asks(stub)) == (2, 2)


def test_task_that_was_shown_before_it_went_missing_is_shown_again_as_it_was(stub: Stub, page: Page):
    stub.stream_status = 501
    stub.snapshots["t"] = RUNNING
    stub.show(page, *ONE)
    expect_state(page, "running")
    del stub.snapshots["t"]
    run_by_seconds(page, 4)
    expect_state(page, "missing")
    stub.snapshots["t"] = RUNNING
    run_by_seconds(page, 31)
    expect_state(page, "running")


def test_hidden_tab_asks_for_nothing_until_it_is_seen_again(stub: Stub, page: Page):
    stub.greeting = ALL_MISSING
    stub.show(page, *ONE)
    expect_state(page, "missing")
    set_hidden(page, True)
    page.clock.run_for(HIDDEN)
    let_requests_arrive(page)
    before = count_asks(stub)
    run_by_seconds(page, 60)
    assert count_asks(stub) == before
    stub.snapshots["t"] = DONE
    set_hidden(page, False)
    expect_state(page, "succeeded")


def test_component_that_leaves_is_not_asked_for(stub: Stub, page: Page):
    page.add_init_script("Math.random = () => 1;")
    stub.greeting = ALL_MISSING
    stub.show(page, *ONE)
    expect_state(page, "missing")
    page.locator("task-progress").evaluate("(element) => element.remove()")
    run_by_seconds(page, 20)
    assert count_asks(stub) == 0
