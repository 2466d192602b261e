"""The monitor's page of one task, and what all its pages have in common, in a browser on a real site."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import find_violations, needs_axe, needs_chromium
from tests.support.monitor_jobs import SCRIPT
from tests.support.monitor_site import (
    ANA,
    HIDE,
    clear_tasks,
    make_task,
    make_url,
    open_staff_tab,
    put_tasks,
    run_monitor_site,
)
from tests.support.waiting import wait_until
from tests.support.wire_site import Site

pytestmark = needs_chromium

SLOW = 30_000
LONG = "a_name_that_is_much_longer_than_anything_that_would_fit_into_a_row_of_the_list_" * 2
STAGES = [
    {"name": "Load", "weight": 1, "progress": 100, "state": "succeeded"},
    {"name": "Render charts", "weight": 3, "progress": 71, "state": "running"},
]

#: One task in each state; texts that are long; a page of everything that the page of one task can show.
TASKS = [
    make_task("running", f"shop.{LONG}", progress=42, percent=42.0, status=LONG, owner=ANA, stages=STAGES),
    make_task("unknown", percent=None, owner="a-person-with-a-very-long-name@example.com"),
    make_task("queued", state="queued", queue_position=3),
    make_task("stalled", stalled=True, progress=18, percent=18.0),
    make_task("succeeded", state="succeeded", end=1, result={"url": "/reports/7"}, meta={"quarter": {"n": [LONG]}}),
    make_task("failed", state="failed", progress=37, error={"type": "MemoryError", "message": LONG}),
    make_task("cancelled", state="cancelled", progress=55),
    make_task("lost", state="lost", progress=71),
]


@pytest.fixture(scope="module")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with run_monitor_site(tmp_path_factory.mktemp("site"), EXPOSE_ERRORS=True) as running:
        yield running


@pytest.fixture
def site(running_site: Site) -> Site:
    clear_tasks(running_site)
    return running_site


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    with open_staff_tab(browser, site) as page:
        yield page


def show(site: Site, page: Page, task_id: str) -> Locator:
    """Show the page of a task, and return its component."""
    page.goto(make_url(site, f"/tasks/{task_id}/monitor"))
    expect(page.locator("[data-fact=state]")).not_to_have_text("", timeout=SLOW)
    return page.locator("task-progress")


def show_task(site: Site, page: Page, **values: Any) -> None:
    put_tasks(site, [make_task("t", **values)])
    show(site, page, "t")


def get_facts(page: Page) -> dict[str, str]:
    rows = page.locator("#facts > div:visible").all()
    return {row.locator("dt").inner_text(): row.locator("dd").inner_text() for row in rows}


# One task


def test_running_task_is_seen_to_its_end_under_a_strict_policy(site: Site, page: Page):
    task_id = site.start("report", name="report")
    component = show(site, page, task_id)
    expect(page.locator("#stages tbody tr")).to_have_count(2, timeout=SLOW)
    stages = page.locator("#stages tbody tr")
    expect(stages.locator(".task")).to_have_text(["Load", f"Render {SCRIPT}"])
    expect(stages.locator("[data-part=state]")).to_have_text(["Succeeded", "Running"], timeout=SLOW)
    expect(component.locator(".log .text")).to_have_text(f"Loaded {SCRIPT}", timeout=SLOW)
    site.order("report", current=1, total=2)
    expect(stages.locator(".percent")).to_have_text(["100%", "50%"], timeout=SLOW)
    site.order_return("report", {"url": "/reports/7", "script": SCRIPT})
    expect(page.locator("#result pre")).to_contain_text(SCRIPT, timeout=SLOW)
    expect(page.locator("#result").get_by_role("link", name="Open result")).to_have_attribute(
        "href", make_url(site, "/reports/7")
    )
    expect(page.locator("[data-fact=state]")).to_have_text("Succeeded")
    expect(page).to_have_title("Report")


def test_facts_of_a_task_are_spelt_out(site: Site, page: Page):
    show_task(site, page, state="succeeded", age=90, start=80, end=10, owner=ANA, attempt=2)
    facts = get_facts(page)
    assert list(facts) == ["State", "Owner", "Created", "Started", "Finished", "Updated", "Duration", "Attempt"]
    assert (facts["State"], facts["Owner"], facts["Attempt"]) == ("Succeeded", "ana", "2")
    assert facts["Duration"] in ("1:10", "1:11")
    for name in ("created_at", "started_at", "finished_at", "updated_at"):
        moment = page.locator(f"[data-fact={name}]").get_attribute("datetime")
        assert moment == page.evaluate(f"document.querySelector('task-progress').snapshot.{name}")


def test_place_in_the_queue_is_a_fact(site: Site, page: Page):
    show_task(site, page, state="queued", queue_position=3)
    assert get_facts(page)["Queue position"] == "3"


def test_meta_is_shown_by_name_as_text(site: Site, page: Page):
    show_task(site, page, meta={"quarter": "Q3", SCRIPT: SCRIPT, "source": {"rows": 12}})
    expect(page.locator("#meta dt")).to_have_text(["quarter", SCRIPT, "source"])
    expect(page.locator("#meta dd")).to_have_text(["Q3", SCRIPT, '{ "rows": 12 }'])
    expect(page).to_have_title("Import rows")


def test_error_is_shown_as_far_as_viewers_are_told(site: Site, page: Page):
    show_task(site, page, state="failed", error={"type": "MemoryError", "message": SCRIPT})
    expect(page.locator("#error .type")).to_have_text("MemoryError")
    expect(page.locator("#error pre")).to_have_text(SCRIPT)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "http://[", 7, None])
def test_result_leads_nowhere_but_to_web_pages(site: Site, page: Page, url: object):
    show_task(site, page, state="succeeded", result={"url": url})
    expect(page.locator("#result pre")).to_be_visible()
    expect(page.locator("#result a")).to_be_hidden()
    assert page.locator("#result a").get_attribute("href") == ""


def test_result_that_was_left_out_says_why(site: Site, page: Page):
    show_task(site, page, state="succeeded", result_omitted="it is too large")
    expect(page.locator("#result")).to_contain_text("Not shown: it is too large")
    expect(page.locator("#result pre")).to_be_hidden()


def test_parts_that_a_task_does_not_have_are_not_shown(site: Site, page: Page):
    show_task(site, page)
    expect(page.locator(".panel:visible")).to_have_count(1)


def test_task_is_cancelled_on_its_page(site: Site, page: Page):
    task_id = site.start_puppet("cancelled")
    component = show(site, page, task_id)
    component.get_by_role("button", name="Cancel").click()
    component.get_by_role("button", name="Yes").click()
    expect(page.locator("[data-fact=state]")).to_have_text("Cancelled", timeout=SLOW)


def test_task_that_vanishes_says_so_and_keeps_what_was_known(site: Site, browser: Browser):
    with open_staff_tab(browser, site, expected_errors=("404 (Not Found)",)) as page:
        page.clock.install()
        show_task(site, page, meta={"quarter": "Q3"})
        expect(page.locator("task-progress")).to_have_attribute("data-transport", "stream", timeout=SLOW)
        clear_tasks(site)
        page.evaluate(HIDE, True)
        page.clock.run_for(30_000)  # a page that is hidden asks for its task now and then
        expect(page.locator("#gone")).to_be_visible(timeout=SLOW)
        expect(page.locator("#meta dd")).to_have_text("Q3")


def test_task_that_is_not_kept_has_a_page_that_leads_back(site: Site, browser: Browser):
    with open_staff_tab(browser, site, expected_errors=("404 (Not Found)",)) as page:
        page.goto(make_url(site, "/tasks/nothing/monitor"))
        expect(page.get_by_role("heading", name="There is no such task")).to_be_visible()
        page.get_by_role("link", name="All tasks").click()
        expect(page).to_have_url(make_url(site))


# All pages


def test_who_is_no_staff_is_told_so(site: Site, browser: Browser):
    with open_staff_tab(browser, site, name="li", expected_errors=("403 (Forbidden)",)) as page:
        page.goto(make_url(site))
        expect(page.get_by_role("heading", name="This page is for staff")).to_be_visible()
        expect(page.locator("main")).to_contain_text("You are logged in as li")
        page.get_by_role("link", name="Log in as somebody else").click()
        expect(page.locator("#id_username")).to_be_visible()


def test_list_without_javascript_says_that_it_needs_that(site: Site, browser: Browser):
    with open_staff_tab(browser, site, java_script_enabled=False) as page:
        page.goto(make_url(site))
        assert page.locator("#list").inner_text() == "This page needs JavaScript."


def test_page_of_a_task_says_without_javascript_how_far_it_is(site: Site, browser: Browser):
    put_tasks(site, TASKS)
    with open_staff_tab(browser, site, java_script_enabled=False) as page:
        page.goto(make_url(site, "/tasks/running/monitor"))
        expect(page.locator("task-progress")).to_contain_text("42%")
        expect(page.get_by_role("link", name="Refresh")).to_be_visible()
        expect(page.locator(".panel:visible")).to_have_count(0)


@pytest.mark.parametrize("path", ["/tasks/monitor", *(f"/tasks/{task['task_id']}/monitor" for task in TASKS)])
def test_page_fits_a_phone_of_320_pixels(site: Site, browser: Browser, path: str):
    put_tasks(site, TASKS)
    with open_staff_tab(browser, site, viewport={"width": 320, "height": 640}) as page:
        page.goto(make_url(site, path))
        expect(page.locator("#rows tr, #facts")).not_to_have_count(0, timeout=SLOW)
        if cancel := page.get_by_role("button", name="Cancel").all():
            cancel[0].click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_question_fits_into_its_row_on_a_phone(site: Site, browser: Browser):
    put_tasks(site, TASKS)
    with open_staff_tab(browser, site, viewport={"width": 320, "height": 640}) as page:
        page.goto(make_url(site))
        page.locator("#rows").get_by_role("button").first.click()
        question = page.get_by_role("group", name="Cancel it?")
        row = page.locator("#rows tr").filter(has=question)
        row_box, question_box = [box for box in (row.bounding_box(), question.bounding_box()) if box]
        assert question_box["x"] >= row_box["x"]
        assert question_box["x"] + question_box["width"] <= row_box["x"] + row_box["width"] + 1
        assert question_box["y"] >= row_box["y"]
        assert question_box["y"] + question_box["height"] <= row_box["y"] + row_box["height"] + 1


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("path", "name", "error"),
    [
        pytest.param("/tasks/monitor", "ana", "", id="list"),
        pytest.param("/tasks/monitor?q=nothing", "ana", "", id="nothing matches"),
        pytest.param("/tasks/monitor?state=asleep", "ana", "400 (Bad Request)", id="wrong address"),
        pytest.param("/tasks/monitor", "li", "403 (Forbidden)", id="forbidden"),
        pytest.param("/tasks/nothing/monitor", "ana", "404 (Not Found)", id="missing"),
        *[pytest.param(f"/tasks/{task['task_id']}/monitor", "ana", "", id=task["task_id"]) for task in TASKS],
    ],
)
def test_axe_finds_nothing_to_complain_about(site: Site, browser: Browser, path: str, name: str, error: str, scheme):
    put_tasks(site, TASKS)
    options: dict[str, Any] = {"color_scheme": scheme, "expected_errors": (error,) if error else ()}
    with open_staff_tab(browser, site, name=name, **options) as page:
        page.goto(make_url(site, path))
        expect(page.locator("#rows tr, #facts, .notice h1, .notice h2:visible")).not_to_have_count(0, timeout=SLOW)
        if cancel := page.locator("#rows").get_by_role("button").all():
            cancel[0].click()
        assert find_violations(page) == []


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_complain_about_on_an_empty_list(site: Site, browser: Browser, scheme: str):
    with open_staff_tab(browser, site, color_scheme=scheme) as page:
        page.goto(make_url(site))
        expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible(timeout=SLOW)
        assert find_violations(page) == []


def test_nothing_moves_for_those_who_asked_for_that(site: Site, browser: Browser):
    put_tasks(site, TASKS)
    with open_staff_tab(browser, site, reduced_motion="reduce") as page:
        page.goto(make_url(site))
        expect(page.locator(".fill.sweeping")).to_have_count(1, timeout=SLOW)
        wait_until(lambda: page.evaluate("document.getAnimations().length") == 0, "nothing moves")
