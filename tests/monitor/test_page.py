"""The monitor's list in a browser, on a real site: what staff see of tasks, live."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.support.browser import (
    find_violations,
    needs_axe,
    needs_chromium,
    needs_whole_chromium,
    open_page_keeper,
    open_tab,
)
from tests.support.monitor_site import (
    ANA,
    HIDE,
    LI,
    clear_tasks,
    log_in,
    make_task,
    make_url,
    open_staff_tab,
    put_tasks,
    run_monitor_site,
)
from tests.support.servers import find_free_port
from tests.support.valkey import ValkeyServer
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wire_site import Site

pytestmark = needs_chromium

SLOW = 30_000
DATA = "**/tasks/monitor/data*"
PHONE: ViewportSize = {"width": 320, "height": 640}

SOME = [
    make_task("a", "shop.tasks.import_rows", "running", age=10, owner=ANA),
    make_task("b", "shop.tasks.import_rows", "failed", age=20, owner=LI),
    make_task("c", "shop.tasks.send_mail", "succeeded", age=30, owner=LI),
    make_task("d", "shop.tasks.send_mail", "queued", age=40),
]


@pytest.fixture(scope="module")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with run_monitor_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def site(running_site: Site) -> Site:
    running_site.wait_until_free()  # the page of the test before may just have been closed
    clear_tasks(running_site)
    return running_site


def show(site: Site, page: Page, query: str = "") -> Locator:
    """Show the monitor, and return its rows."""
    page.goto(make_url(site, f"/tasks/monitor{query}"))
    expect(page.locator("#signal")).to_have_text("Live", timeout=SLOW)
    return page.locator("#rows tr")


def expect_tasks(page: Page, *names: str) -> None:
    expect(page.locator("#rows [data-part=name]")).to_have_text(list(names), timeout=SLOW)


def hang(page: Page) -> None:
    """From now on the list gets no answer, so that what changes comes from the stream."""
    page.route(DATA, lambda route: None)


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


# What it shows


def test_tasks_are_listed_the_newest_first(site: Site, page: Page):
    put_tasks(site, [make_task("old", age=60), make_task("new", "shop.tasks.send_mail", age=10)])
    show(site, page)
    expect_tasks(page, "Send mail", "Import rows")


#: A task in each state, and what its row says.
ROWS = {
    "running": (
        {"progress": 42, "percent": 42.0, "status": "Importing", "eta": 4000.0, "owner": ANA},
        ["Running", "42%", "Importing", " · 1 h 6 min left", "ana"],
    ),
    "unknown": ({"percent": None, "owner": "99"}, ["Running", "", "", "", "99"]),
    "estimated": (
        {"percent": None, "age": 60, "expected": 36_030.0},
        ["Running", "", "", "about 9 h 59 min left", ""],
    ),
    "expected": ({"state": "queued", "expected": 236.0}, ["Queued", "0%", "", "usually 4 min", ""]),
    "queued": ({"state": "queued", "queue_position": 3}, ["Queued", "0%", "3rd in line", "", ""]),
    "failed": (
        {"state": "failed", "progress": 37, "status": "Failed: no memory", "end": 0},
        ["Failed", "37%", "no memory", "", ""],
    ),
    "stopped": ({"state": "cancelled", "progress": 55, "status": "Batch 3"}, ["Cancelled", "55%", "Batch 3", "", ""]),
    "lost": ({"state": "lost"}, ["Lost", "0%", "Lost: the worker stopped responding", "", ""]),
    "done": (
        {"state": "succeeded", "status": "Going", "conclusion": "9 rows"},
        ["Succeeded", "100%", "9 rows", "", ""],
    ),
}


def test_rows_say_what_is_known_of_their_tasks(site: Site, page: Page):
    put_tasks(site, [make_task(task_id, **task) for task_id, (task, _) in ROWS.items()])
    rows = show(site, page)
    parts = ", ".join(f"[data-part={part}]" for part in ("state", "percent", "status", "left", "owner"))
    for task_id, (_, texts) in ROWS.items():
        row = rows.filter(has=page.locator(f"code[title={task_id}]"))
        expect(row.locator(parts)).to_have_text(texts)


def test_bar_of_a_row_shows_an_estimate_where_one_is_known(site: Site, page: Page):
    put_tasks(site, [make_task("known", percent=None, age=60, expected=120.0), make_task("unknown", percent=None)])
    rows = show(site, page)
    fills = {
        name: rows.filter(has=page.locator(f"code[title={name}]")).locator(".fill") for name in ("known", "unknown")
    }
    expect(fills["known"]).to_have_class("fill estimated")
    expect(fills["unknown"]).to_have_class("fill sweeping")
    assert 45 < float(fills["known"].evaluate("fill => parseFloat(fill.style.inlineSize)")) < 99


def test_parent_is_one_row_that_counts_its_children(site: Site, page: Page):
    site.start("family", names=["one", "two"])
    show(site, page)
    expect_tasks(page, "Family")
    site.order_return("one")
    site.order_raise("two", "no")
    statuses = page.locator("#rows [data-part=status]")
    expect(statuses).to_have_text(["0 of 1 · 1 failed"], timeout=SLOW)
    expect_tasks(page, "Family")


def test_row_of_a_parent_opens_its_children_and_these_open_theirs(site: Site, page: Page):
    site.start("family", names=["one", "two"])
    show(site, page)
    page.get_by_role("button", name="Children of Family").click()
    page.get_by_role("button", name="Children of Puppets").click()
    states = page.locator("#rows .opened .opened [data-part=state]")
    expect(states).to_have_text(["Running", "Running"], timeout=SLOW)
    site.order_return("one")
    site.order_raise("two", "no")
    expect(states).to_have_text(["Succeeded", "Failed"], timeout=SLOW)


def test_row_that_is_open_moves_with_its_children_and_closes(site: Site, page: Page):
    site.start("family", names=["one"])
    show(site, page)
    page.get_by_role("button", name="Children of Family").click()
    put_tasks(site, [make_task("new", age=-60)])
    expect(page.locator("#rows [data-part=name]")).to_have_text(["Import rows", "Family", "Puppets"], timeout=SLOW)
    page.locator("#rows .opened").click(position={"x": 2, "y": 2})  # it leads nowhere
    page.get_by_role("button", name="Children of Family").click()
    expect_tasks(page, "Import rows", "Family")
    site.order_return("one")


@needs_axe
@pytest.mark.parametrize("size", [None, PHONE], ids=["window", "phone"])
def test_row_that_is_open_is_accessible(site: Site, page: Page, size: ViewportSize | None):
    site.start("family", names=["one"])
    if size:
        page.set_viewport_size(size)
    show(site, page)
    page.get_by_role("button", name="Children of Family").press("Enter")
    expect(page.get_by_role("table", name="Children of Family")).to_be_visible(timeout=SLOW)
    assert find_violations(page) == []
    site.order_return("one")


def test_task_is_called_by_its_label_beside_the_beginning_of_its_id(site: Site, page: Page):
    put_tasks(site, [make_task("8c1f2d3e-4b5a", label="Import a.csv", age=5), make_task("nightly-2026", age=9)])
    show(site, page)
    expect_tasks(page, "Import a.csv", "Import rows")
    expect(page.locator("#rows code")).to_have_text(["8c1f2d3e", "nightly-2026"])
    expect(page.locator("#rows code").first).to_have_attribute("title", "8c1f2d3e-4b5a")
    expect(page.locator("#rows a").first).to_have_attribute("title", "Import a.csv · shop.tasks.import_rows")


def test_what_runs_stands_above_what_has_ended_also_once_it_ends(site: Site, page: Page):
    put_tasks(site, [make_task("a", age=60), make_task("b", "shop.tasks.send_mail", age=30)])
    rows = show(site, page)
    expect_tasks(page, "Send mail", "Import rows")
    rows.first.get_by_role("link").focus()
    rows.last.get_by_role("link").focus()
    put_tasks(site, [make_task("b", "shop.tasks.send_mail", "succeeded", age=30)])
    expect_tasks(page, "Import rows", "Send mail")
    expect(rows.first.get_by_role("link")).to_be_focused()


def test_row_that_moves_keeps_the_focus(site: Site, page: Page):
    put_tasks(site, [make_task("a", state="succeeded", age=60), make_task("b", state="failed", age=30)])
    rows = show(site, page)
    rows.last.get_by_role("link").focus()
    put_tasks(site, [make_task("a", age=60)])  # it is begun once more
    expect(rows.first).to_have_attribute("data-state", "running", timeout=SLOW)
    expect(rows.first.get_by_role("link")).to_be_focused()


def test_bar_of_what_has_ended_is_a_small_mark(site: Site, page: Page):
    put_tasks(site, [make_task("a"), make_task("b", state="succeeded"), make_task("c", state="failed")])
    show(site, page)
    running, *ended = [track.bounding_box()["width"] for track in page.locator("#rows .track").all()]
    assert running > 40
    assert all(width < 20 for width in ended)


def test_error_is_shown_as_it_was_raised(site: Site, page: Page):
    put_tasks(site, [make_task("t", state="failed", status="Failed: 'x'")])
    status = show(site, page).locator(".status")
    expect(status).to_have_text("'x'")
    assert status.evaluate("cell => getComputedStyle(cell, '::first-letter').textTransform") == "none"


def test_numbers_agree_and_each_task_counts_once(site: Site, page: Page):
    tasks = [make_task("s", stalled=True), make_task("l", state="lost"), *SOME]
    put_tasks(site, tasks)
    show(site, page)
    expect(page.locator(".figures div")).to_have_text(
        ["running1", "queued1", "stalled1", "failed or lost, last hour2"], timeout=SLOW
    )
    counts = dict(text.split() for text in page.locator(".chip").all_inner_texts())
    assert (counts.pop("All"), counts["Running"], counts["Failed"], counts["Lost"]) == ("6", "1", "1", "1")
    assert sum(map(int, counts.values())) == 6


def test_counts_stand_on_top_and_in_the_filters(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page)
    expect(page.locator(".figures dd")).to_have_text(["1", "1", "0", "1"])
    assert [text.split() for text in page.locator(".chip:visible").all_inner_texts()] == [
        ["All", "4"],
        ["Running", "1"],
        ["Queued", "1"],
        ["Succeeded", "1"],
        ["Failed", "1"],
        ["Cancelled", "0"],
    ]


def test_chart_says_in_words_what_it_shows(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page)
    chart = page.get_by_role("img")
    expect(chart).to_have_attribute(
        "aria-label",
        "Tasks in each of the last 60 minutes: at most 3 ran in one; 1 succeeded, 0 cancelled, 1 failed.",
        timeout=SLOW,
    )
    expect(chart.locator("g")).to_have_count(60)
    assert chart.locator(".part.failed").evaluate_all("parts => parts.some((part) => part.getBBox().height > 0)")


def test_markup_stays_text(site: Site, page: Page):
    script = "<script>document.title = 'hacked'</script>"
    put_tasks(site, [make_task("t", f"{script}", status=script, owner=script)])
    row = show(site, page)
    expect(row.locator(".owner")).to_have_text(script)
    expect(row.locator(".status")).to_have_text(script)
    expect(page).to_have_title("Tasks")


def test_times_are_those_of_the_readers_zone_and_language(site: Site, browser: Browser):
    put_tasks(site, [make_task("t", age=400 * 24 * 3600)])
    with open_staff_tab(browser, site, timezone_id="Asia/Tokyo") as page:
        started = show(site, page).locator("time")
        moment = started.get_attribute("datetime")
        options = "{ dateStyle: 'medium', timeStyle: 'medium', timeZone: 'Asia/Tokyo' }"
        whole = page.evaluate(
            f"(moment) => new Intl.DateTimeFormat('en-us', {options}).format(new Date(moment))", moment
        )
        expect(started).to_have_attribute("title", whole)


# Times


def expect_times(row: Locator, ago: str, took: str) -> None:
    expect(row.locator("time")).to_have_text(ago, timeout=SLOW)
    expect(row.locator(".took")).to_have_text(re.compile(took), timeout=SLOW)


@pytest.mark.slow
@pytest.mark.parametrize("hours", [-1, 1, 48])
def test_wrong_clock_of_the_browser_does_not_matter(site: Site, own_page: Page, hours: int):
    put_tasks(site, [make_task("t", age=130)])
    own_page.clock.install(time=datetime.now() + timedelta(hours=hours))
    expect_times(show(site, own_page), "2 min. ago", r"2:\d\d")


@pytest.mark.slow
def test_kept_answer_does_not_tell_the_time(site: Site, own_page: Page):
    put_tasks(site, [make_task("t", state="failed", age=130)])
    show(site, own_page)
    asked: list[str] = []
    own_page.on("request", lambda request: asked.extend(filter(None, [request.headers.get("if-none-match")])))
    own_page.clock.install(time=datetime.now() + timedelta(hours=1))
    own_page.reload()
    expect(own_page.locator("#rows time")).to_have_text("2 min. ago", timeout=SLOW)
    wait_until(lambda: asked or own_page.wait_for_timeout(50), "the page asks for what is new alone")


@pytest.mark.parametrize("state", ["running", "failed"])
def test_time_since_the_start_goes_on_between_two_answers(site: Site, own_page: Page, state: str):
    put_tasks(site, [make_task("t", state=state, age=70)])
    own_page.clock.install()
    row = show(site, own_page)
    expect(row.locator("time")).to_have_text("1 min. ago")
    hang(own_page)
    own_page.clock.run_for(120_000)
    expect(row.locator("time")).to_have_text("3 min. ago")


def test_time_since_the_start_is_told_in_one_unit(site: Site, page: Page):
    put_tasks(site, [make_task(f"t{age}", age=age) for age in (5, 3700, 90_000)])
    expect(show(site, page).locator("time")).to_have_text(["this minute", "1 hr. ago", "yesterday"])


# Live


def test_bar_moves_by_the_stream_without_another_poll(site: Site, page: Page):
    site.start_puppet("moving")
    row = show(site, page)
    wait_until(lambda: site.get_stats()["viewers"] == 1, "the row's task is followed")
    hang(page)
    site.order("moving", current=42, total=100, status="Importing")
    expect(row.locator(".percent")).to_have_text("42%", timeout=SLOW)
    site.order_return("moving")
    expect(row).to_have_attribute("data-state", "succeeded", timeout=SLOW)


def test_all_rows_share_one_stream(site: Site, page: Page):
    put_tasks(site, [make_task(f"t{number}", age=number) for number in range(60)])
    show(site, page)
    wait_until(lambda: len(site.get_stats()["watches"]) == 50, "the tasks shown are followed")
    assert site.get_stats()["viewers"] == 1


def test_new_task_comes_on_top_and_leaves_the_other_rows_as_they_are(site: Site, page: Page):
    put_tasks(site, [make_task("first", age=60)])
    rows = show(site, page)
    rows.get_by_role("link").focus()
    rows.evaluate("row => (row.isSame = true)")
    put_tasks(site, [make_task("second", "shop.tasks.send_mail", age=1)])
    expect_tasks(page, "Send mail", "Import rows")
    assert rows.last.evaluate("row => row.isSame && row.contains(document.activeElement)")


def test_time_taken_goes_on_between_two_answers(site: Site, own_page: Page):
    put_tasks(site, [make_task("t", age=60)])
    own_page.clock.install()
    took = show(site, own_page).locator(".took")
    before = took.text_content()
    hang(own_page)
    own_page.clock.run_for(5000)
    expect(took).not_to_have_text(str(before))


def test_focus_of_a_row_that_goes_is_not_lost(site: Site, page: Page):
    put_tasks(site, SOME)
    row = show(site, page, "?state=queued")
    row.get_by_role("link").focus()
    put_tasks(site, [make_task("d", "shop.tasks.send_mail", "succeeded", age=40)])
    expect(row).to_have_count(0, timeout=SLOW)
    expect(page.locator("#list")).to_be_focused()


def test_older_news_of_a_task_does_not_undo_newer(site: Site, page: Page):
    put_tasks(site, [make_task("t", age=60, progress=50, percent=50.0)])
    row = show(site, page)
    expect(row.locator(".percent")).to_have_text("50%")
    put_tasks(site, [make_task("t", age=60, progress=20, percent=20.0, seq=2), make_task("u", age=70)])
    expect(row).to_have_count(2, timeout=SLOW)
    expect(row.first.locator(".percent")).to_have_text("50%")


def test_more_failures_and_stalls_are_announced(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page)
    expect(page.locator(".figures dd").last).to_have_text("1", timeout=SLOW)
    page.evaluate(HIDE, True)  # so that no answer has one of these alone
    put_tasks(site, [make_task("e", state="failed"), make_task("f", stalled=True)])
    page.evaluate(HIDE, False)
    expect(page.get_by_role("status")).to_have_text("Failed or lost in the last hour: 2. Stalled: 1", timeout=SLOW)


def test_hidden_page_asks_for_nothing_and_shows_what_is_new_once_it_is_seen(site: Site, own_page: Page):
    put_tasks(site, [make_task("t", age=60)])
    own_page.clock.install()
    row = show(site, own_page)
    wait_until(lambda: site.get_stats()["viewers"] == 1, "its task is followed")
    # Until the stream has brought something, a page whose clock jumps takes it for held back, and polls.
    put_tasks(site, [make_task("t", age=60, progress=7, percent=7.0)])
    expect(row.locator(".percent")).to_have_text("7%", timeout=SLOW)
    asked: list[str] = []
    own_page.on("request", lambda request: asked.append(request.url))
    own_page.evaluate(HIDE, True)
    own_page.clock.run_for(60_000)
    wait_until(lambda: not site.get_stats()["viewers"], "its task is let go of")
    assert asked == []
    own_page.evaluate(HIDE, False)
    wait_until(lambda: site.get_stats()["watches"] == ["t"], "its task is followed again")
    own_page.evaluate(HIDE, True)
    put_tasks(site, [make_task("u", "shop.tasks.send_mail", age=1)])
    own_page.evaluate(HIDE, False)
    expect_tasks(own_page, "Send mail", "Import rows")
    wait_until(lambda: site.get_stats()["watches"] == ["t", "u"], "both are followed")


@pytest.mark.parametrize("event", ["new Event('online')", "new PageTransitionEvent('pageshow', { persisted: true })"])
def test_network_or_page_that_is_back_is_asked_for_at_once(site: Site, own_page: Page, event: str):
    own_page.clock.install()
    show(site, own_page)
    own_page.clock.pause_at(datetime.now() + timedelta(hours=1))  # from now on no timer ends
    expect(own_page.locator("#list")).not_to_have_attribute("aria-busy", "true")
    put_tasks(site, SOME[:1])
    own_page.evaluate(f"dispatchEvent({event})")
    expect_tasks(own_page, "Import rows")


@pytest.mark.slow
def test_list_that_did_not_change_is_answered_304(site: Site, own_page: Page):
    put_tasks(site, [make_task("t", state="succeeded")])
    show(site, own_page)
    wait_until(lambda: '/tasks/monitor/data" 304' in site.log, "a poll is answered 304")
    expect_tasks(own_page, "Import rows")


# Filters


def test_filter_by_state_stands_in_the_address_and_back_undoes_it(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page)
    page.get_by_role("link", name="Failed 1").click()
    expect(page.locator("#rows .state")).to_have_text(["Failed"], timeout=SLOW)
    expect(page).to_have_url(make_url(site, "/tasks/monitor?state=failed"))
    expect(page.locator("[aria-current]")).to_have_text("Failed 1")
    page.go_back()
    expect(page.locator("#rows tr")).to_have_count(4, timeout=SLOW)
    expect(page).to_have_url(make_url(site))


def test_filter_by_name_shows_the_tasks_of_that_name(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page)
    page.get_by_label("Task", exact=True).select_option("Send mail")
    expect_tasks(page, "Send mail", "Send mail")
    expect(page).to_have_url(make_url(site, "/tasks/monitor?task=shop.tasks.send_mail"))


def test_open_list_of_names_is_left_alone(site: Site, page: Page):
    put_tasks(site, SOME[:2])
    show(site, page)
    names = page.get_by_label("Task", exact=True)
    expect(names.locator("option")).to_have_text(["All tasks", "Import rows"])
    names.focus()
    put_tasks(site, SOME[2:])
    expect(page.locator("#rows tr")).to_have_count(4, timeout=SLOW)
    expect(names.locator("option")).to_have_text(["All tasks", "Import rows"])
    names.blur()
    expect(names.locator("option")).to_have_text(["All tasks", "Import rows", "Send mail"])


def test_tasks_of_one_label_are_told_apart_by_their_whole_names(site: Site, page: Page):
    put_tasks(site, [make_task("a", "shop.tasks.send_mail"), make_task("b", "blog.tasks.send_mail")])
    show(site, page)
    names = page.get_by_label("Task", exact=True).locator("option")
    expect(names).to_have_text(["All tasks", "blog.tasks.send_mail", "shop.tasks.send_mail"])


def test_search_finds_owners_and_keeps_the_state_asked_for(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page, "?state=failed&state=succeeded")
    page.get_by_role("searchbox").fill("li")
    expect(page).to_have_url(make_url(site, "/tasks/monitor?state=failed&state=succeeded&q=li"))
    expect_tasks(page, "Import rows", "Send mail")
    page.get_by_role("searchbox").fill("mail")
    expect_tasks(page, "Send mail")


def test_filter_that_is_chosen_while_a_search_is_typed_takes_it_along(site: Site, page: Page):
    put_tasks(site, [make_task("a", "shop.tasks.import_rows"), make_task("b", "shop.tasks.send_mail")])
    show(site, page)
    page.evaluate("setTimeout = () => 0")  # the typing never ends
    page.locator("#search").fill("mail")
    page.locator(".chip", has_text="Running").click()
    expect_tasks(page, "Send mail")
    expect(page.locator("#search")).to_have_value("mail")


def test_kept_address_shows_the_same_again(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page, "?state=queued&task=shop.tasks.send_mail&q=mail&state=&other=1")
    expect_tasks(page, "Send mail")
    expect(page.locator("[aria-current]")).to_have_text("Queued 1")
    expect(page.get_by_label("Task", exact=True)).to_have_value("shop.tasks.send_mail")
    expect(page.get_by_role("searchbox")).to_have_value("mail")


def test_number_of_tasks_found_is_announced(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page)
    page.get_by_role("link", name="Succeeded 1").click()
    expect(page.get_by_role("status")).to_have_text("Tasks found: 1", timeout=SLOW)


def test_where_nothing_matches_the_filters_can_be_cleared(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page, "?q=nothing")
    expect(page.get_by_role("heading", name="No task matches")).to_be_visible()
    page.get_by_role("link", name="Clear filters").click()
    expect(page.locator("#rows tr")).to_have_count(4, timeout=SLOW)
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_site_without_tasks_says_so_until_one_starts(site: Site, page: Page):
    show(site, page)
    expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
    put_tasks(site, SOME[:1])
    expect_tasks(page, "Import rows")
    expect(page.get_by_role("heading", name="No tasks yet")).to_be_hidden()


def test_address_that_is_wrong_says_why(site: Site, browser: Browser):
    with open_staff_tab(browser, site, expected_errors=("400 (Bad Request)",)) as page:
        put_tasks(site, SOME)
        show(site, page, "?state=sleeping")
        expect(page.locator("#problem")).to_contain_text("'sleeping'")
        page.get_by_role("link", name="Clear filters").click()
        expect(page.locator("#rows tr")).to_have_count(4, timeout=SLOW)


def test_slash_leads_to_the_search_and_is_a_letter_in_it(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page)
    search = page.get_by_role("searchbox")
    press(page, "/")
    expect(search).to_be_focused()
    press(page, "/")
    expect(search).to_have_value("/")
    search.blur()  # what else can be focused may go with the rows that are searched
    press(page, "Control+/")
    expect(search).not_to_be_focused()


# Sorting


def test_head_of_a_column_sorts_one_way_then_the_other_then_no_more(site: Site, page: Page):
    put_tasks(site, [make_task("a", age=60), make_task("b", "shop.tasks.send_mail", age=90)])
    show(site, page)
    head = page.get_by_role("columnheader", name="Took")
    for order, names in {
        "descending": ["Send mail", "Import rows"],
        "ascending": ["Import rows", "Send mail"],
    }.items():
        head.get_by_role("link").press("Enter")
        expect_tasks(page, *names)
        expect(head).to_have_attribute("aria-sort", order)
    expect(page).to_have_url(make_url(site, "/tasks/monitor?sort=took"))
    head.get_by_role("link").click()
    expect(page).to_have_url(make_url(site))
    assert head.get_attribute("aria-sort") is None


def test_order_stays_with_a_filter_and_in_the_address(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page, "?sort=task&state=queued")
    page.get_by_role("link", name="All 4").click()
    expect(page).to_have_url(make_url(site, "/tasks/monitor?sort=task"))
    expect_tasks(page, "Import rows", "Import rows", "Send mail", "Send mail")


@pytest.mark.slow
@pytest.mark.parametrize("width", [320, 768])
def test_narrow_window_that_lacks_columns_has_a_list_of_orders(site: Site, page: Page, width: int):
    put_tasks(site, SOME)
    page.set_viewport_size({"width": width, "height": 640})
    show(site, page)
    page.get_by_label("Sort by").select_option("By owner")
    expect(page).to_have_url(make_url(site, "/tasks/monitor?sort=owner"))
    expect_tasks(page, "Import rows", "Import rows", "Send mail", "Send mail")


@pytest.mark.slow
def test_list_of_orders_names_an_order_that_only_an_address_can_choose(site: Site, page: Page):
    put_tasks(site, SOME)
    page.set_viewport_size(PHONE)
    show(site, page, "?sort=started")
    expect(page.get_by_label("Sort by").locator(":checked")).to_have_text("Started ↑")


# Room


def test_first_row_is_on_the_first_screen_of_a_phone(site: Site, page: Page):
    put_tasks(site, [make_task("s", stalled=True), make_task("l", state="lost"), *SOME])
    page.set_viewport_size(PHONE)
    box = show(site, page).first.bounding_box()
    assert box["y"] + box["height"] < PHONE["height"]
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_text("Last 60 minutes").click()
    expect(page.get_by_role("img")).to_be_visible()


def test_columns_fit(site: Site, page: Page):
    put_tasks(site, [make_task("t", label="Import customers-2026-06.csv", owner=ANA, percent=42.0), *SOME])
    put_tasks(site, [make_task("stopping", cancel_requested=True)])
    show(site, page)
    cut = "cells => cells.filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.className)"
    whole = "#table :is(th:not(.status), td.state, td.progress, td.started, td.took, td.actions):visible"
    for width in (768, 1024, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        assert (width, page.locator(whole).evaluate_all(cut)) == (width, [])
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_time_left_is_seen_whole_beside_a_long_status(site: Site, page: Page):
    put_tasks(site, [make_task("t", percent=42.0, status="Importing the rows of " + "a long name, " * 20, eta=4000.0)])
    row = show(site, page)
    for width in (PHONE["width"], 768, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        left = row.locator("[data-part=left]").bounding_box()
        assert left["width"] > 60, width
        cell = row.locator("td.status").bounding_box()
        assert left["x"] + left["width"] <= cell["x"] + cell["width"], width


@pytest.mark.slow
def test_columns_stand_under_their_heads_from_right_to_left(site: Site, page: Page):
    put_tasks(site, [make_task("t", owner=ANA, percent=42.0)])
    show(site, page)
    page.evaluate("document.documentElement.dir = 'rtl'")
    edges = """() => ["task", "state", "status", "owner", "took"].map((name) => {
      const cells = [...document.querySelectorAll(`#table .${name}`)].filter((cell) => cell.offsetWidth > 1);
      return cells.map((cell) => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        const { left, right } = range.getBoundingClientRect();
        return Math.round(name === "took" ? left : right);
      });
    })"""
    for width in (768, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        offsets = [max(column, default=0) - min(column, default=0) for column in page.evaluate(edges)]
        assert (width, offsets) == (width, [0] * 5)


@pytest.mark.slow
def test_filter_in_force_is_in_sight_on_a_phone(site: Site, page: Page):
    put_tasks(site, [*SOME, make_task("l", state="lost")])
    page.set_viewport_size(PHONE)
    show(site, page, "?state=lost")
    expect(page.locator("[aria-current]")).to_be_in_viewport(ratio=0.9, timeout=SLOW)


# Many


@pytest.mark.slow
def test_of_a_thousand_tasks_fifty_are_on_the_page(site: Site, page: Page):
    tasks = [
        make_task(f"t{number}", state="failed" if number % 10 else "succeeded", age=number) for number in range(1000)
    ]
    put_tasks(site, tasks)
    rows = show(site, page)
    expect(rows).to_have_count(50)
    page.get_by_role("link", name="Next").click()
    expect(page.locator("#range")).to_have_text("51\N{EN DASH}100 of 1,000", timeout=SLOW)
    expect(page).to_have_url(make_url(site, "/tasks/monitor?page=2"))
    expect(rows).to_have_count(50)
    page.get_by_role("link", name="Succeeded 100").click()
    expect(page.locator("#range")).to_have_text("1\N{EN DASH}50 of 100", timeout=SLOW)
    expect(page).to_have_url(make_url(site, "/tasks/monitor?state=succeeded"))
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("link", name="Next")).to_be_disabled(timeout=SLOW)


def test_page_that_is_no_more_is_the_last_one(site: Site, page: Page):
    put_tasks(site, [make_task(f"t{number}", age=number) for number in range(60)])
    rows = show(site, page, "?page=9")
    expect(rows).to_have_count(10)
    expect(page).to_have_url(make_url(site, "/tasks/monitor?page=2"))


# Cancelling


def test_keyboard_alone_cancels(site: Site, page: Page):
    task_id = site.start_puppet("cancelled")
    row = show(site, page)
    row.get_by_role("link").focus()
    press(page, "Tab", "Enter")
    expect(row.get_by_role("button", name="No")).to_be_focused()
    press(page, "Shift+Tab", "Enter")
    expect(row).to_have_attribute("data-state", "cancelled", timeout=SLOW)
    expect(row.locator(".status")).to_have_text("Cancelled by you")
    expect(row.get_by_role("link")).to_be_focused()
    assert site.get_snapshot(task_id)["state"] == "cancelled"


def test_no_and_escape_cancel_nothing(site: Site, page: Page):
    put_tasks(site, SOME[:1])
    row = show(site, page)
    cancel = row.get_by_role("button", name="Cancel Import rows")
    cancel.click()
    row.get_by_role("button", name="No").click()
    expect(cancel).to_be_visible()
    cancel.press("Enter")
    press(page, "Escape")
    expect(cancel).to_be_focused()


def test_nothing_moves_while_a_reader_is_asked(site: Site, page: Page):
    put_tasks(site, SOME[:1])
    rows = show(site, page)
    rows.get_by_role("button", name="Cancel Import rows").click()
    put_tasks(site, SOME[1:])
    expect(page.locator(".chip").first).to_have_text("All 4", timeout=SLOW)
    expect(rows).to_have_count(1)
    rows.get_by_role("button", name="No").click()
    expect(rows).to_have_count(4)


@pytest.mark.slow
def test_question_that_is_left_open_holds_no_other_filter_up(site: Site, page: Page):
    put_tasks(site, [make_task("a", "shop.tasks.import_rows"), make_task("b", "shop.tasks.send_mail", "failed")])
    show(site, page).get_by_role("button", name="Cancel Import rows").click()
    expect(page.get_by_role("button", name="No")).to_be_visible()
    page.get_by_role("link", name="Failed").click()
    expect_tasks(page, "Send mail")


def test_who_may_not_cancel_has_no_button(site: Site, page: Page):
    put_tasks(site, SOME[1:3])
    show(site, page)
    expect_tasks(page, "Import rows", "Send mail")
    expect(page.locator("#rows").get_by_role("button")).to_have_count(0)


def test_refused_cancel_says_why(site: Site, browser: Browser):
    with open_staff_tab(browser, site, expected_errors=("403 (Forbidden)",)) as page:
        put_tasks(site, SOME[:1])
        row = show(site, page)
        page.route("**/cancel", lambda route: route.fulfill(status=403, json={"detail": "Not you."}))
        row.get_by_role("button", name="Cancel Import rows").click()
        row.get_by_role("button", name="Yes").click()
        expect(row.locator(".status")).to_have_text("Not you.")
        expect(page.get_by_role("status")).to_have_text("Import rows: Not you.")
        expect(row.get_by_role("button", name="Cancel Import rows")).to_be_enabled()


# Cancelling many


def select(page: Page, count: int) -> Locator:
    """Select the first rows by the keyboard, and return the bar of what is selected."""
    boxes = page.locator("#rows").get_by_role("checkbox")
    expect(boxes.nth(count - 1)).to_be_visible(timeout=SLOW)
    for box in boxes.all()[:count]:
        box.press("Space")
    return page.get_by_role("group", name="Selected tasks")


def test_tasks_that_are_selected_are_cancelled_by_one_question(site: Site, page: Page):
    task_ids = [site.start_puppet(f"many-{number}") for number in range(3)]
    rows = show(site, page)
    expect(rows).to_have_count(3, timeout=SLOW)
    bar = select(page, 2)
    expect(bar).to_contain_text("2 selected")
    bar.get_by_role("button", name="Cancel").press("Enter")
    expect(bar.get_by_role("group", name="Cancel 2 tasks?").get_by_role("button", name="No")).to_be_focused()
    press(page, "Shift+Tab", "Enter")
    expect(page.locator("#rows tr[data-state=cancelled]")).to_have_count(2, timeout=SLOW)
    expect(bar).to_be_hidden()
    expect(page.get_by_role("status")).to_have_text("Asked to stop: 2")
    assert sorted(site.get_snapshot(task_id)["state"] for task_id in task_ids) == ["cancelled", "cancelled", "running"]
    site.order_return("many-0")


@pytest.mark.slow
def test_tasks_that_could_not_be_cancelled_are_named_and_stay_selected(site: Site, browser: Browser):
    with open_staff_tab(browser, site, expected_errors=("403 (Forbidden)",)) as page:
        put_tasks(site, [make_task("a", label="Import a.csv", age=5), make_task("b", label="Import b.csv", age=6)])
        show(site, page)
        page.route("**/a/cancel", lambda route: route.fulfill(status=403, json={"detail": "Not you."}))
        page.route("**/b/cancel", lambda route: route.fulfill(status=202, json={}))
        bar = select(page, 2)
        bar.get_by_role("button", name="Cancel").click()
        bar.get_by_role("button", name="Yes").click()
        told = "Not cancelled: 1 of 2. Import a.csv: Not you."
        expect(page.locator("#refused")).to_have_text(told)
        expect(page.get_by_role("status")).to_have_text(told)
        expect(bar).to_contain_text("1 selected")
        expect(page.get_by_label("Select Import a.csv")).to_be_checked()
        page.get_by_role("button", name="Dismiss").click()
        expect(page.locator("#refused")).to_be_hidden()


def test_all_that_can_be_cancelled_are_selected_at_once(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page)
    page.get_by_label("Select all").press("Space")
    expect(page.locator("#rows :checked")).to_have_count(2)
    bar = page.get_by_role("group", name="Selected tasks")
    bar.get_by_role("button", name="Clear selection").click()
    expect(page.locator("#rows :checked")).to_have_count(0)
    expect(bar).to_be_hidden()


@pytest.mark.slow
def test_escape_cancels_none_of_those_that_are_selected(site: Site, page: Page):
    put_tasks(site, SOME[:1])
    show(site, page)
    bar = select(page, 1)
    bar.get_by_role("button", name="Cancel").press("Enter")
    expect(bar.get_by_role("group", name="Cancel 1 task?")).to_be_visible()
    press(page, "Escape")
    expect(bar.get_by_role("button", name="Cancel")).to_be_focused()
    expect(page.locator("#rows :checked")).to_have_count(1)


@pytest.mark.slow
def test_nothing_moves_while_a_reader_is_asked_about_many(site: Site, page: Page):
    put_tasks(site, SOME[:1])
    rows = show(site, page)
    bar = select(page, 1)
    bar.get_by_role("button", name="Cancel").click()
    put_tasks(site, SOME[1:])
    expect(page.locator(".chip").first).to_have_text("All 4", timeout=SLOW)
    expect(rows).to_have_count(1)
    bar.get_by_role("button", name="No").click()
    expect(rows).to_have_count(4)


def test_task_that_ends_is_selected_no_more(site: Site, page: Page):
    site.start_puppet("ending")
    show(site, page)
    bar = select(page, 1)
    expect(bar).to_be_visible()
    site.order_return("ending")
    expect(bar).to_be_hidden(timeout=SLOW)
    expect(page.get_by_label("Select all")).to_be_disabled()


@pytest.mark.slow
def test_click_on_or_beside_a_box_selects_and_does_not_open_the_task(site: Site, page: Page):
    put_tasks(site, SOME[:2])
    show(site, page)
    expect(page.locator("#rows tr")).to_have_count(2)
    page.locator("#rows td.select").first.click(position={"x": 3, "y": 3})
    expect(page.locator("#rows :checked")).to_have_count(1)
    expect(page.get_by_role("status")).to_have_text("1 selected")
    page.locator("#rows").get_by_role("checkbox").click()
    page.locator("#rows td.select").last.click()  # this task has ended
    expect(page.locator("#rows :checked")).to_have_count(0)
    expect(page).to_have_url(make_url(site))


# Going away and coming back


def test_row_leads_to_the_page_of_its_task_and_that_back_to_the_filtered_list(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page, "?state=queued")
    page.locator("#rows .status").click()
    expect(page).to_have_url(make_url(site, "/tasks/d/monitor"))
    page.get_by_role("link", name="Tasks").click()
    expect(page).to_have_url(make_url(site, "/tasks/monitor?state=queued"))


@pytest.mark.slow
@needs_whole_chromium
def test_page_that_was_left_and_comes_back_shows_what_is_new(site: Site, browser: Browser):
    put_tasks(site, SOME[1:])
    with open_page_keeper(browser) as keeper, open_staff_tab(keeper, site) as page:
        page.add_init_script("addEventListener('pageshow', (event) => (window.wasKept = event.persisted));")
        show(site, page)
        page.goto(make_url(site, "/page?body=elsewhere"))
        put_tasks(site, SOME[:1])
        page.go_back(wait_until="commit")
        expect(page.locator("#rows tr")).to_have_count(4, timeout=SLOW)
        assert page.evaluate("window.wasKept")


@pytest.mark.slow
def test_server_that_dies_and_comes_back_is_found_again(browser: Browser, tmp_path: Path):
    port = find_free_port()
    with ValkeyServer() as valkey:
        env = {"VALKEY_URL": valkey.connection_url}
        with run_monitor_site(tmp_path, env=env, port=port) as site:
            put_tasks(site, SOME)
            with open_staff_tab(browser, site, expected_errors=("Failed to load resource",)) as page:
                show(site, page)
                kill(site.server.process)
                expect(page.locator("#signal")).to_have_text("Reconnecting…", timeout=SLOW)
                expect(page.locator("#stale")).to_be_visible(timeout=SLOW)
                expect(page.locator("#rows tr")).to_have_count(4)
                with run_monitor_site(tmp_path, env=env, port=port) as again:
                    put_tasks(again, [make_task("new", "shop.tasks.send_mail", age=1)])
                    expect(page.locator("#signal")).to_have_text("Live", timeout=SLOW)
                    expect(page.locator("#rows tr")).to_have_count(5, timeout=SLOW)
                    expect(page.locator("#stale")).to_be_hidden()


def kill(process: "subprocess.Popen[str]") -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(DEADLINE)


@pytest.mark.slow
def test_answer_that_is_no_data_is_none_and_asked_for_again(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page)
    page.route(DATA, lambda route: route.fulfill(content_type="text/html", body="<p>Back in a minute</p>"))
    expect(page.locator("#signal")).to_have_text("Reconnecting…", timeout=SLOW)
    page.unroute(DATA)
    expect(page.locator("#signal")).to_have_text("Live", timeout=SLOW)
    expect(page.locator("#rows tr")).to_have_count(4)


@pytest.mark.slow
def test_page_that_has_nothing_to_show_can_be_told_to_try_again(site: Site, browser: Browser):
    with open_staff_tab(browser, site, expected_errors=("500 (Internal Server Error)",)) as page:
        put_tasks(site, SOME)
        page.add_init_script("Math.random = () => 1000")  # by itself it tries again in half an hour
        page.route(DATA, lambda route: route.fulfill(status=500))
        page.goto(make_url(site))
        expect(page.get_by_role("heading", name="The server can't be reached")).to_be_visible(timeout=SLOW)
        page.unroute(DATA)
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("#rows tr")).to_have_count(4, timeout=SLOW)


# Who may see it


def test_session_that_ends_takes_the_tasks_away_and_offers_the_login(site: Site, browser: Browser):
    with open_staff_tab(browser, site, expected_errors=("401 (Unauthorized)",)) as page:
        put_tasks(site, SOME)
        show(site, page, "?state=queued")
        page.context.clear_cookies()
        expect(page.get_by_role("heading", name="You are logged out")).to_be_visible(timeout=SLOW)
        expect(page.locator("#rows tr")).to_have_count(0)
        page.get_by_role("link", name="Log in").click()
        expect(page.locator("#id_username")).to_be_visible()


@pytest.mark.slow
def test_answer_that_leads_to_a_login_is_the_end_of_the_session(site: Site, page: Page):
    put_tasks(site, SOME)
    show(site, page)
    page.route(DATA, lambda route: route.fulfill(status=302, headers={"Location": "/admin/login/"}))
    expect(page.get_by_role("heading", name="You are logged out")).to_be_visible(timeout=SLOW)


@pytest.mark.slow
def test_who_logs_in_again_elsewhere_sees_the_tasks_again(site: Site, browser: Browser):
    with open_staff_tab(browser, site, expected_errors=("401 (Unauthorized)",)) as page:
        put_tasks(site, SOME[1:3])  # these do not change
        show(site, page)
        page.context.clear_cookies()
        expect(page.get_by_role("heading", name="You are logged out")).to_be_visible(timeout=SLOW)
        log_in(site, page)
        page.evaluate(HIDE, False)
        expect(page.locator("#rows tr")).to_have_count(2, timeout=SLOW)


def test_anonymous_reader_logs_in_and_is_led_to_what_he_asked_for(site: Site, browser: Browser):
    put_tasks(site, SOME)
    with open_tab(browser) as page:
        page.goto(make_url(site, "/tasks/monitor?state=queued"))
        page.fill("#id_username", "ana")
        page.fill("#id_password", "ana")
        page.click("[type=submit]")
        expect(page).to_have_url(make_url(site, "/tasks/monitor?state=queued"))
        expect_tasks(page, "Send mail")
