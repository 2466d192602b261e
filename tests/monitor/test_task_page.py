"""The monitor's page of one task, and what all its pages have in common, in a browser on a real site."""

import json
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.support.browser import SCHEMES, find_violations, needs_axe, needs_chromium, use_again
from tests.support.monitor_jobs import SCRIPT
from tests.support.monitor_site import (
    ANA,
    HIDE,
    clear_tasks,
    make_attempt,
    make_span,
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
PHONE: ViewportSize = {"width": 320, "height": 640}
LONG = "a_name_that_is_much_longer_than_anything_that_would_fit_into_a_row_of_the_list_" * 2
STAGES = [
    {"name": "Load", "weight": 1, "progress": 100, "state": "succeeded"},
    {"name": "Render charts", "weight": 3, "progress": 71, "state": "running"},
]

SPANS = [make_span("Load", 50, 30), make_span("Render charts", 30)]
ARGUMENTS = [{"name": "path", "value": f"'{LONG}'"}, {"name": "", "value": "********"}]
FAILED_STAGES = [
    {"name": "Load", "weight": 1, "progress": 100, "state": "succeeded"},
    {"name": "Render", "weight": 3, "progress": 21, "state": "failed"},
    {"name": "Write", "weight": 1, "progress": 0, "state": "queued"},
]
TRACEBACK = f'Traceback (most recent call last):\n  File "shop.py", line 7, in {LONG}\nMemoryError: {LONG}\n'

#: One task in each state; texts that are long; a page of everything that the page of one task can show.
TASKS = [
    make_task(
        "running",
        f"shop.{LONG}",
        progress=42,
        percent=42.0,
        status=LONG,
        owner=ANA,
        stages=STAGES,
        start=50,
        attempts=[make_attempt(1, 50, arguments=ARGUMENTS, stages=SPANS, host="a-machine-with-a-very-long-name" * 2)],
    ),
    make_task("unknown", percent=None, owner="a-person-with-a-very-long-name@example.com"),
    make_task("queued", state="queued", queue_position=3),
    make_task("stalled", stalled=True, progress=18, percent=18.0),
    make_task("succeeded", state="succeeded", end=1, result={"url": "/reports/7"}, meta={"quarter": {"n": [LONG]}}),
    make_task(
        "failed",
        state="failed",
        progress=37,
        error={"type": "MemoryError", "message": LONG},
        attempt=2,
        start=20,
        end=5,
        attempts=[
            make_attempt(1, 50, 40, state="queued", traceback=TRACEBACK),
            make_attempt(2, 20, 5, state="failed", traceback=TRACEBACK),
        ],
    ),
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


def show(site: Site, page: Page, task_id: str) -> Locator:
    """Show the page of a task, and return its component."""
    page.goto(make_url(site, f"/tasks/{task_id}/monitor"))
    expect(page.locator("#timeline tbody tr")).not_to_have_count(0, timeout=SLOW)
    return page.locator("task-progress")


def show_task(site: Site, page: Page, **values: Any) -> None:
    put_tasks(site, [make_task("t", **values)])
    show(site, page, "t")


def list_phases(page: Page) -> list[tuple[str, str, str]]:
    """Return what each row of the timeline says: the phase, the note on it, and how long it took."""
    script = """(rows) => rows.map((row) => ["name", "note", "took"].map((part) => {
      return row.querySelector(`[data-part=${part}]`).innerText;
    }))"""
    return list(map(tuple, page.locator("#timeline tbody tr").evaluate_all(script)))


def find_visible(page: Page, text: str) -> Locator:
    """Return the elements of the page, and of its component, in which this text can be seen."""
    return page.get_by_text(text, exact=True).filter(visible=True)


# One task


def test_running_task_is_seen_to_its_end_under_a_strict_policy(site: Site, page: Page):
    task_id = site.start("report", name="report")
    component = show(site, page, task_id)
    stages = page.locator("#timeline [data-kind=stage]")
    expect(stages.locator("[data-part=name]")).to_have_text(["Load", f"Render {SCRIPT}"], timeout=SLOW)
    expect(stages.locator("[data-part=state]")).to_have_text(["Succeeded", "Running"], timeout=SLOW)
    expect(stages.locator("[data-part=bar]:visible")).to_have_count(2, timeout=SLOW)
    expect(component.locator(".log .text")).to_have_text(f"Loaded {SCRIPT}", timeout=SLOW)
    site.order("report", current=1, total=2)
    expect(stages.locator("[data-part=note]").last).to_have_text("50%", timeout=SLOW)
    site.order_return("report", {"url": "/reports/7", "script": SCRIPT})
    expect(page.locator("#result pre")).to_contain_text(SCRIPT, timeout=SLOW)
    expect(page.locator("#timeline [data-kind=attempt] [data-part=state]")).to_have_text("Succeeded")
    expect(page.locator("#timeline [data-kind=attempt] [data-part=note]")).to_have_text(
        f"{socket.gethostname()}, process {site.server.process.pid}"
    )
    expect(page).to_have_title("Report")


def test_name_function_and_owner_of_a_task_stand_once(site: Site, page: Page):
    show_task(site, page, state="succeeded", owner=ANA, end=1)
    for fact in ("Import rows", "shop.tasks.import_rows", "ana"):
        expect(find_visible(page, fact)).to_have_count(1)
    expect(page.get_by_role("progressbar", name="Import rows")).to_be_visible()


# Its timeline


def test_timeline_tells_waits_attempts_and_stages(site: Site, page: Page):
    show_task(
        site, page, state="failed", age=119.5, start=61, end=11.5, attempt=2, stages=FAILED_STAGES,
        attempts=[
            make_attempt(1, 110, 90.5, state="queued", stages=[make_span("Load", 105, 90.5, "failed")]),
            make_attempt(2, 61, 11.5, process=7, stages=[make_span("Load", 61, 41.5), make_span("Render", 41)]),
        ],
    )  # fmt: skip
    wait_until(lambda: len(list_phases(page)) == 8, "the details have come")
    assert list_phases(page) == [
        ("Waiting", "", "0:10"),
        ("Attempt 1", "tried again · worker-1, process 4242", "0:20"),
        ("Load", "Failed", "0:15"),
        ("Waiting", "", "0:30"),
        ("Attempt 2", "Failed · worker-1, process 7", "0:50"),
        ("Load", "", "0:20"),
        ("Render", "Failed", "0:30"),
        ("Write", "", ""),
    ]


def test_bar_lies_where_its_time_does(site: Site, page: Page):
    attempts = [make_attempt(1, 80, 20, stages=[make_span("Load", 50, 20)])]
    stages = [{"name": "Load", "weight": 1, "progress": 100, "state": "succeeded"}]
    show_task(site, page, state="succeeded", age=100, start=80, end=20, stages=stages, attempts=attempts)
    expect(page.locator("#timeline [data-part=bar]:visible")).to_have_count(3)
    columns = page.locator("#timeline tbody .course").all()
    assert [measure(column) for column in columns] == [
        (pytest.approx(0, abs=0.03), pytest.approx(0.25, abs=0.03)),
        (pytest.approx(0.25, abs=0.03), pytest.approx(1, abs=0.03)),
        (pytest.approx(0.625, abs=0.03), pytest.approx(1, abs=0.03)),
    ]


def test_page_of_a_parent_shows_when_each_child_waited_and_ran(site: Site, page: Page):
    task_id = site.start("family", names=["one", "two"])
    show(site, page, task_id)
    children = page.locator("#children tbody tr")
    expect(children.locator("[data-part=name]")).to_have_text(["Puppets"], timeout=SLOW)
    children.get_by_role("link", name="Puppets").click()
    expect(page.get_by_role("heading", name="Puppets")).to_be_visible()
    expect(children.locator("[data-part=state]")).to_have_text(["Running", "Running"], timeout=SLOW)
    site.order_return("one")
    site.order_raise("two", "no")
    expect(children.locator("[data-part=state]")).to_have_text(["Succeeded", "Failed"], timeout=SLOW)
    expect(children.locator("[data-part=bar]:visible")).to_have_count(2)
    expect(children.locator("[data-part=took]")).not_to_have_text(["", ""])
    expect(page.locator("#timeline tbody tr")).to_have_count(0)
    page.get_by_role("link", name=task_id).click()
    expect(page.get_by_role("heading", name="Family")).to_be_visible()


def measure(column: Locator) -> tuple[float, float]:
    """Return where the bar in a cell begins and ends, as parts of the width that it may have."""
    script = """(cell) => {
      const [{ paddingInlineStart: before, paddingInlineEnd: after }, box] = [getComputedStyle(cell),
        cell.getBoundingClientRect()];
      const bar = cell.querySelector("[data-part=bar]").getBoundingClientRect();
      const [left, width] = [box.left + parseFloat(before), box.width - parseFloat(before) - parseFloat(after)];
      return [(bar.left - left) / width, (bar.right - left) / width];
    }"""
    start, end = column.evaluate(script)
    return start, end


def test_task_without_details_tells_what_its_snapshot_knows_and_no_more(site: Site, page: Page):
    show_task(site, page, state="succeeded", age=89.5, start=80, end=10.5, stages=STAGES[:1])
    assert list_phases(page) == [("Waiting", "", "0:10"), ("Running", "", "1:10"), ("Load", "", "")]


def test_attempts_that_nobody_recorded_are_not_made_up(site: Site, page: Page):
    show_task(site, page, state="succeeded", age=500, start=80, end=10.5, attempt=3)
    assert list_phases(page) == [("Attempt 3", "", "1:10")]


def test_attempt_whose_process_died_has_no_end(site: Site, page: Page):
    attempts = [make_attempt(1, 100), make_attempt(2, 50, 10)]
    show_task(site, page, state="succeeded", age=100, start=50, end=10, attempt=2, attempts=attempts)
    expect(page.locator("#timeline .note").first).to_have_text("no end recorded · worker-1, process 4242")
    assert list_phases(page)[0][2] == ""


def test_waiting_task_tells_since_when(site: Site, page: Page):
    show_task(site, page, state="queued", age=3700, queue_position=3)
    ((phase, _, took),) = list_phases(page)
    assert (phase, took) == ("Waiting", "1 h 1 min")
    expect(page.locator("#timeline [data-part=to]")).to_have_text("now")


def test_times_are_those_of_the_server_where_the_browser_has_a_wrong_clock(site: Site, own_page: Page):
    own_page.clock.install(time=datetime.now(UTC) + timedelta(hours=5))
    show_task(site, own_page, age=65, start=62, attempts=[make_attempt(1, 62)])
    expect(own_page.locator("#timeline [data-kind=attempt] [data-part=took]")).to_have_text(re.compile("^1:[0-5]\\d$"))


def test_each_time_of_the_page_has_one_format(site: Site, page: Page):
    show_task(site, page, start=59, log=[("info", "begun")], attempts=[make_attempt(1, 59)])
    times = page.locator("time:visible")
    expect(times).not_to_have_count(0)
    expect(page.locator("task-progress .line")).to_have_count(1, timeout=SLOW)
    texts = set(times.all_inner_texts()) - {"now"}
    assert [text for text in texts if not re.fullmatch(r"([A-Z][a-z]{2} \d+, )?\d\d:\d\d:\d\d", text)] == []


def test_details_that_the_server_does_not_give_are_asked_for_again(site: Site, browser: Browser):
    with open_staff_tab(browser, site, expected_errors=("503 (Service Unavailable)",)) as page:
        page.route("**/monitor/details", lambda route: route.fulfill(status=503), times=2)
        show_task(site, page, attempts=[make_attempt(1, 60)])
        assert list_phases(page)[-1][:2] == ("Running", "")
        expect(page.locator("#timeline .note")).to_have_text("worker-1, process 4242", timeout=SLOW)


# What staff are told beside it


def test_traceback_and_arguments_are_shown_as_text(site: Site, page: Page):
    attempts = [
        make_attempt(1, 60, 5, state="failed", traceback=f"Traceback:\nMemoryError: {SCRIPT}\n",
                     arguments=[{"name": "path", "value": SCRIPT}, {"name": "", "value": "7"}]),
    ]  # fmt: skip
    show_task(site, page, state="failed", end=5, error={"type": "MemoryError", "message": SCRIPT}, attempts=attempts)
    expect(page.get_by_role("region", name="Traceback")).to_have_text(f"Traceback:\nMemoryError: {SCRIPT}")
    expect(page.locator("#error .type")).to_have_text("MemoryError")
    expect(page.locator("#error .problem")).to_be_hidden()  # the traceback ends with it
    expect(page.locator("#arguments dt")).to_have_text(["path", "2"])
    expect(page.locator("#arguments dd")).to_have_text([SCRIPT, "7"])
    expect(page).to_have_title("Import rows")


def test_errors_of_earlier_attempts_open_by_keyboard(site: Site, page: Page):
    attempts = [make_attempt(1, 60, 50, state="queued", traceback=f"ValueError: {SCRIPT}\n"), make_attempt(2, 40, 5)]
    show_task(site, page, state="succeeded", start=40, end=5, attempt=2, attempts=attempts)
    earlier = page.locator("#earlier")
    earlier.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(earlier.get_by_role("region", name="Attempt 1")).to_have_text(f"ValueError: {SCRIPT}")
    expect(page.locator("#error")).to_be_hidden()


def test_errors_of_earlier_attempts_stay_within_their_panel(site: Site, page: Page):
    attempts = [make_attempt(1, 60, 50, state="queued", traceback="ValueError: no\n"), make_attempt(2, 40, 5)]
    show_task(site, page, state="succeeded", start=40, end=5, attempt=2, attempts=attempts)
    expect(page.locator("#earlier summary")).to_be_visible()
    panel, summary = page.locator("#earlier").bounding_box(), page.locator("#earlier summary").bounding_box()
    assert panel is not None
    assert summary is not None
    assert summary["y"] + summary["height"] <= panel["y"] + panel["height"]


def test_id_is_copied(site: Site, own_page: Page):
    own_page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    show_task(site, own_page)
    own_page.get_by_role("button", name="Copy id").click()
    expect(own_page.locator("#copied")).to_have_text("Copied")
    assert own_page.evaluate("navigator.clipboard.readText()") == "t"


@pytest.mark.parametrize(
    "clipboard", ["undefined", "{ writeText: async () => { throw new DOMException('no', 'NotAllowedError'); } }"]
)
def test_id_is_selected_where_the_page_may_not_copy(site: Site, own_page: Page, clipboard: str):
    own_page.add_init_script(f"Object.defineProperty(navigator, 'clipboard', {{ value: {clipboard} }})")
    show_task(site, own_page)
    own_page.get_by_role("button", name="Copy id").click()
    expect(own_page.locator("#copied")).to_contain_text("Selected")
    assert own_page.evaluate("String(getSelection())") == "t"


# What its snapshot tells


def test_meta_is_shown_by_name_as_text(site: Site, page: Page):
    show_task(site, page, meta={"quarter": "Q3", SCRIPT: SCRIPT, "source": {"rows": 12}})
    expect(page.locator("#meta dt")).to_have_text(["quarter", SCRIPT, "source"])
    expect(page.locator("#meta dd")).to_have_text(["Q3", SCRIPT, '{ "rows": 12 }'])
    expect(page).to_have_title("Import rows")


def test_error_is_shown_as_far_as_viewers_are_told(site: Site, page: Page):
    message = f"{SCRIPT}\nand more"
    show_task(site, page, state="failed", error={"type": "MemoryError", "message": message})
    expect(page.locator("#error .type")).to_have_text("MemoryError")
    expect(page.locator("#error .problem")).to_have_text(message)


def test_short_message_of_an_error_stands_once(site: Site, page: Page):
    error = {"type": "MemoryError", "message": "shard 4 is full"}
    show_task(site, page, state="failed", status=f"Failed: {error['message']}", error=error)
    expect(page.locator("#error .type")).to_have_text("MemoryError")
    expect(find_visible(page, "Failed: shard 4 is full")).to_have_count(1)
    expect(page.locator("#error .problem")).to_be_hidden()


def test_error_that_is_kept_back_says_nothing_but_its_type(site: Site, page: Page):
    attempts = [make_attempt(1, 60, 5, state="failed", error="MemoryError")]
    error = {"type": "Exception", "message": "The task failed."}
    show_task(site, page, state="failed", end=5, error=error, attempts=attempts)
    expect(page.locator("#error .type")).to_have_text("MemoryError")
    assert page.locator("#error").inner_text().split() == ["Error", "MemoryError"]


def test_message_that_the_component_does_not_show_is_shown_below(site: Site, page: Page):
    show_task(site, page, state="failed", error={"type": "MemoryError", "message": "shard 4 is full"})
    expect(page.locator("#error .problem")).to_have_text("shard 4 is full")


def test_result_leads_nowhere_but_to_web_pages(site: Site, page: Page):
    for url in ("javascript:alert(1)", "data:text/html,x", "http://[", 7, None):
        show_task(site, page, state="succeeded", result={"url": url})
        expect(page.locator("#result pre")).to_contain_text(json.dumps(url))
        expect(page.get_by_role("link", name="Open result")).to_have_count(0)


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
    expect(page.locator("#timeline [data-kind=attempt] [data-part=state]")).to_have_text("Cancelled", timeout=SLOW)


def test_task_that_vanishes_says_so_and_keeps_what_was_known(site: Site, browser: Browser):
    with open_staff_tab(browser, site, expected_errors=("404 (Not Found)",)) as page:
        page.clock.install()
        show_task(site, page, meta={"quarter": "Q3"})
        expect(page.locator("task-progress")).to_have_attribute("data-transport", "stream", timeout=SLOW)
        clear_tasks(site)
        page.evaluate(HIDE, True)
        gone = page.locator("#gone")
        # A page that is hidden asks for its task now and then.
        wait_until(lambda: page.clock.run_for(20_000) or gone.is_visible(), "the page says that the task is gone")
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


def test_pages_fit_a_phone_of_320_pixels(site: Site, page: Page):
    put_tasks(site, TASKS)
    page.set_viewport_size(PHONE)
    for path in ("/tasks/monitor", *(f"/tasks/{task['task_id']}/monitor" for task in TASKS)):
        page.goto(make_url(site, path))
        expect(page.locator("#rows tr, #timeline tbody tr")).not_to_have_count(0, timeout=SLOW)
        if cancel := page.get_by_role("button", name="Cancel").all():
            cancel[0].click()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path


def test_question_fits_into_its_row_on_a_phone(site: Site, page: Page):
    put_tasks(site, TASKS)
    page.set_viewport_size(PHONE)
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
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("path", "error"),
    [
        pytest.param("/tasks/monitor", "", id="list"),
        pytest.param("/tasks/monitor?q=nothing", "", id="nothing matches", marks=pytest.mark.slow),
        pytest.param("/tasks/monitor?state=asleep", "400 (Bad Request)", id="wrong address", marks=pytest.mark.slow),
        pytest.param("/tasks/nothing/monitor", "404 (Not Found)", id="missing"),
        *[pytest.param(f"/tasks/{task_id}/monitor", "", id=task_id) for task_id in ("running", "failed")],
        *[
            pytest.param(f"/tasks/{task_id}/monitor", "", id=task_id, marks=pytest.mark.slow)
            for task_id in ("unknown", "queued", "stalled", "succeeded", "cancelled", "lost")
        ],
    ],
)
def test_axe_finds_nothing_to_complain_about(site: Site, open_page: Page, path: str, error: str, scheme):
    put_tasks(site, TASKS)
    with use_again(open_page, expected_errors=(error,) if error else ()) as page:
        page.emulate_media(color_scheme=scheme)
        page.goto(make_url(site, path))
        expect(page.locator("#rows tr, #timeline tbody tr, .notice h1, .notice h2:visible")).not_to_have_count(
            0, timeout=SLOW
        )
        if cancel := page.locator("#rows").get_by_role("button").all():
            page.locator("#rows").get_by_role("checkbox").first.check()
            cancel[0].click()
        assert find_violations(page) == []


@needs_axe
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_to_complain_about_on_an_empty_list(site: Site, page: Page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(make_url(site))
    expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible(timeout=SLOW)
    assert find_violations(page) == []


@needs_axe
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_to_complain_about_where_no_staff_is_told_so(site: Site, browser: Browser, scheme: str):
    with open_staff_tab(browser, site, name="li", color_scheme=scheme, expected_errors=("403 (Forbidden)",)) as page:
        page.goto(make_url(site))
        expect(page.locator(".notice h1")).to_be_visible()
        assert find_violations(page) == []


def test_nothing_moves_for_those_who_asked_for_that(site: Site, page: Page):
    put_tasks(site, TASKS)
    page.emulate_media(reduced_motion="reduce")
    page.goto(make_url(site))
    expect(page.locator(".fill.sweeping")).to_have_count(1, timeout=SLOW)
    wait_until(lambda: page.evaluate("document.getAnimations().length") == 0, "nothing moves")
