"""What a component shows of how long a task usually takes; a stub answers it byte by byte."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import needs_chromium, open_tab, use_again
from tests.support.stub import RUNNING, Stub, encode, make_component, run_stub

pytestmark = needs_chromium

#: A task without total that runs for 11 s of some 4 minutes.
UNSIZED = {"percent": None, "progress": 0, "expected": 236.0}

QUEUED = {"state": "queued", "status": "Queued", "percent": None, "progress": 0, "started_at": None}

ESTIMATE = """async ([snapshot, state, age]) => {
  const { estimate } = await import("/static/tasks_app/task-progress-estimate.js");
  return estimate(snapshot, state, age);
}"""


@pytest.fixture(scope="module")
def open_page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser, expected_errors=("",)) as page:
        yield page


@pytest.fixture
def page(open_page: Page, stub: Stub) -> Iterator[Page]:
    with use_again(open_page) as page:
        yield page


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        yield running


def show(stub: Stub, page: Page, **snapshot: Any) -> Locator:
    stub.snapshots["t"] = {**RUNNING, **snapshot}
    stub.show(page, make_component(**snapshot))
    return page.locator("task-progress")


def find_filled(page: Page) -> float:
    return float(page.locator(".fill").evaluate("fill => fill.style.getPropertyValue('--filled')"))


def estimate(page: Page, age: float, **snapshot: Any) -> float | None:
    state = snapshot.get("state", "running")
    return page.evaluate(ESTIMATE, [{**RUNNING, **UNSIZED, **snapshot}, state, age])


@pytest.mark.parametrize(
    ("expected", "text"),
    [(236.0, "usually 4 min"), (42.9, "usually 42 s"), (0.3, ""), (None, ""), (7260.0, "usually 2 h 1 min")],
)
def test_queued_task_says_how_long_it_usually_takes(stub: Stub, page: Page, expected: float | None, text: str):
    component = show(stub, page, **QUEUED, expected=expected)
    expect(component.locator(".meta")).to_have_text(text)


def test_task_without_total_says_how_long_it_usually_takes_and_what_is_left_of_that(stub: Stub, page: Page):
    component = show(stub, page, **UNSIZED)
    expect(component.locator(".meta")).to_have_text("about 3 min left · usually 4 min")
    expect(component.locator(".percent")).to_have_text("")


def test_task_that_takes_longer_than_usual_says_no_time_left(stub: Stub, page: Page):
    component = show(stub, page, **{**UNSIZED, "expected": 5.0})
    expect(component.locator(".meta")).to_have_text("usually 5 s")


def test_task_with_a_total_goes_by_that_alone(stub: Stub, page: Page):
    component = show(stub, page, expected=236.0, eta=61.0)
    expect(component.locator(".meta")).to_have_text(re.compile("^1:0[01] left$"))
    assert component.locator(".bar").get_attribute("data-estimated") is None


def test_estimate_is_drawn_and_no_value_is_told_to_those_who_hear_it(stub: Stub, page: Page):
    component = show(stub, page, **UNSIZED)
    bar = component.get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuetext", "Importing rows, usually 4 min")
    assert bar.get_attribute("aria-valuenow") is None
    assert bar.get_attribute("data-estimated") == ""
    assert 4 < find_filled(page) < 99


def test_task_of_which_nothing_is_known_has_no_estimate(stub: Stub, page: Page):
    component = show(stub, page, **{**UNSIZED, "expected": None})
    assert component.locator(".bar").get_attribute("data-estimated") is None
    assert component.locator(".fill").evaluate("fill => getComputedStyle(fill).animationName") == "sweep"


def test_estimate_does_not_sweep(stub: Stub, page: Page):
    component = show(stub, page, **UNSIZED)
    assert component.locator(".fill").evaluate("fill => getComputedStyle(fill).animationName") == "none"


def test_bar_of_an_estimate_grows_with_time_alone(stub: Stub, browser: Browser):
    with open_tab(browser) as page:
        page.clock.install()
        stub.greeting = encode(**UNSIZED)
        expect(show(stub, page, **UNSIZED)).to_have_attribute("data-transport", "stream")
        before = find_filled(page)
        page.clock.run_for(9_000)  # less than a server may be silent
        assert find_filled(page) - before > 1


def test_estimate_begins_evenly_then_slows_and_never_is_all(stub: Stub, page: Page):
    stub.show(page)
    times = [0, 59, 118, 236, 472, 10_000]
    shown = [estimate(page, time, started_at=RUNNING["updated_at"]) for time in times]
    assert shown[:3] == [pytest.approx(share) for share in (0, 25, 50)]
    assert shown == sorted(shown)
    assert 85 < shown[3] < 95
    assert shown[-1] == 99


def test_estimate_of_a_task_whose_clock_was_set_back_is_none_of_less_than_nothing(stub: Stub, page: Page):
    stub.show(page)
    assert estimate(page, 0, started_at="2026-03-01T10:00:00.000Z") == 0


@pytest.mark.parametrize("changes", [{"state": "queued"}, {"percent": 4.0}, {"expected": None}, {"expected": 0.0}])
def test_nothing_else_is_estimated(stub: Stub, page: Page, changes: dict[str, Any]):
    stub.show(page)
    assert estimate(page, 5, **changes) is None


def test_page_that_is_opened_late_reckons_with_the_time_of_the_server(stub: Stub, page: Page):
    told = datetime.fromisoformat(str(RUNNING["updated_at"])).astimezone(UTC) + timedelta(seconds=107)
    time = encode({"server_time": told.isoformat(timespec="milliseconds")}, event="time")
    stub.greeting = time + encode(**{**UNSIZED, "seq": 8})
    component = show(stub, page, **UNSIZED)
    expect(component.locator(".meta")).to_have_text("about 1 min left · usually 4 min")


def test_narrow_component_keeps_what_is_left(stub: Stub, page: Page):
    page.set_viewport_size({"width": 300, "height": 640})
    try:
        component = show(stub, page, **UNSIZED, current=1284, unit="compressed files")
        expect(component.locator(".fact.usual")).to_be_hidden()
        expect(component.locator(".fact.left")).to_be_visible()
    finally:
        page.set_viewport_size({"width": 1280, "height": 720})
