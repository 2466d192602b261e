"""The log of the component: its tools, and the lines that they show, copy and download. A stub sends the lines."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import SCHEMES, find_violations, needs_axe, needs_chromium, open_tab, use_again
from tests.support.gallery import LINES
from tests.support.stub import DONE, Stub, encode, make_component, run_stub

pytestmark = [needs_chromium, pytest.mark.slow]

HEIGHT = 640
LEVELS = ["debug", "info", "warning", "error", "critical"]


OPTIONS = {"permissions": ["clipboard-read", "clipboard-write"], "viewport": {"width": 604, "height": HEIGHT}}


@pytest.fixture(scope="module")
def open_page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser, expected_errors=("",), **OPTIONS) as page:  # each test looks at its own
        yield page


@pytest.fixture
def page(open_page: Page, stub: Stub) -> Iterator[Page]:
    with use_again(open_page) as page:  # and have the stub outlive its requests
        yield page


@pytest.fixture
def own_page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser, **OPTIONS) as page:
        yield page


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        yield running


def make_lines(*texts: str, level: str = "info", offset: int = 0, task_id: str = "t") -> bytes:
    """Return the event that brings these lines, the first of them at this place of the log."""
    lines = [{**LINES[0], "level": level, "text": text} for text in texts]
    return encode({"task_id": task_id, "offset": offset, "lines": lines}, event="log")


def make_levels() -> bytes:
    """Return the event that brings one line of each level, whose text is its name."""
    lines = [{**LINES[0], "level": level, "text": level} for level in LEVELS]
    return encode({"task_id": "t", "offset": 0, "lines": lines}, event="log")


def show_log(stub: Stub, page: Page, greeting: bytes, **options: Any) -> Locator:
    """Show a component whose log has these lines, and wait for the last of them."""
    stub.greeting = greeting
    stub.show(page, make_component("logs"), **options)
    component = page.locator("task-progress")
    component.locator(".line").last.wait_for()
    return component


def press(component: Locator, name: str) -> None:
    component.get_by_role("button", name=name, exact=True).click()


def find_match(component: Locator) -> str:
    """Return the line of the current match."""
    return str(component.locator(".line:has(mark[aria-current])").locator(".text").text_content())


def expect_lines(component: Locator, *texts: str) -> None:
    expect(component.locator(".line .text")).to_have_text(list(texts))


# Tools


def test_tools_come_with_the_first_line(stub: Stub, page: Page):
    stub.show(page, make_component("logs"))
    tools = page.locator("task-progress .tools")
    expect(page.locator("task-progress .log")).to_be_visible()
    expect(tools).to_be_hidden()
    stub.wait_for_stream().send(make_lines("one"))
    expect(tools).to_be_visible()


def test_component_without_a_log_has_no_tools(stub: Stub, page: Page):
    stub.greeting = encode() + make_lines("one")
    stub.show(page, make_component(), make_component("logs", task_id="u"))
    expect(page.locator("task-progress .log").last).to_be_visible()
    expect(page.locator("task-progress .pane").first).to_be_hidden()


def test_tools_speak_the_language_of_the_page(stub: Stub, page: Page):
    data = json.dumps({"logSearch": "Suchen", "levelError": "Fehler", "logCopy": "Kopieren"})
    head = f'<script type="application/json" id="task-progress-texts">{data}</script>'
    component = show_log(stub, page, make_lines("one"), head=head)
    expect(component.get_by_role("searchbox", name="Suchen")).to_be_visible()
    expect(component.get_by_role("button", name="Kopieren")).to_be_visible()
    expect(component.locator(".levels option").last).to_have_text("Fehler")


# Search


def test_search_marks_what_it_finds_in_capitals_or_not(stub: Stub, page: Page):
    component = show_log(stub, page, make_lines("Row 1 of row 2", "chart"))
    component.get_by_role("searchbox").fill("ROW")
    expect(component.locator("mark")).to_have_text(["Row", "row"])
    expect_lines(component, "Row 1 of row 2", "chart")


def test_search_goes_from_match_to_match_and_from_the_last_to_the_first(stub: Stub, page: Page):
    component = show_log(stub, page, make_lines("row 1", "chart", "row 2", "row 3"))
    search = component.get_by_role("searchbox")
    search.fill("row")
    places = [(find_match(component), component.locator(".told").text_content())]
    for key in ("Enter", "Enter", "Enter", "Shift+Enter"):
        search.press(key)
        places.append((find_match(component), component.locator(".told").text_content()))
    rows = [("row 1", "1 of 3"), ("row 2", "2 of 3"), ("row 3", "3 of 3")]
    assert places == [*rows, rows[0], rows[2]]


def test_search_goes_on_by_buttons(stub: Stub, page: Page):
    component = show_log(stub, page, make_lines("row 1", "row 2", "row 3"))
    component.get_by_role("searchbox").fill("row")
    press(component, "Next match")
    assert find_match(component) == "row 2"
    press(component, "Previous match")
    assert find_match(component) == "row 1"


def test_search_scrolls_the_log_to_its_match_and_not_the_page(stub: Stub, page: Page):
    component = show_log(stub, page, make_lines(*[f"line {number}" for number in range(100)]))
    component.get_by_role("searchbox").fill("line 30")
    expect(component.locator("mark[aria-current]")).to_be_in_viewport()
    assert page.evaluate("scrollY") == 0


def test_search_covers_lines_that_the_plain_pane_no_longer_holds(stub: Stub, page: Page):
    component = show_log(stub, page, make_lines("the first", *["another"] * 300))
    expect(component.locator(".line")).to_have_count(200)
    search = component.get_by_role("searchbox")
    search.fill("the first")
    assert find_match(component) == "the first"
    search.fill("")
    expect(component.locator(".line")).to_have_count(200)


def test_line_that_comes_while_one_searches_is_marked_and_counted(stub: Stub, page: Page):
    component = show_log(stub, page, make_lines("row 1"))
    component.get_by_role("searchbox").fill("row")
    stub.wait_for_stream().send(make_lines("row 2", offset=1))
    expect(component.locator(".told")).to_have_text("1 of 2")
    expect(component.locator("mark")).to_have_count(2)


def test_search_takes_each_character_as_it_is(stub: Stub, page: Page):
    queries = ["(", ".*", "[a-z", "\\d", "<b>", "]"]
    component = show_log(stub, page, make_lines(*[f"a {query} b" for query in queries], "another 1"))
    for query in queries:
        component.get_by_role("searchbox").fill(query)
        expect(component.locator("mark")).to_have_text([query])


def test_search_that_finds_nothing_says_so(stub: Stub, page: Page):
    component = show_log(stub, page, make_lines("one"))
    component.get_by_role("searchbox").fill("two")
    expect(component.locator(".told")).to_have_text("No match")
    component.get_by_role("searchbox").press("Enter")
    expect(component.locator(".told")).to_have_text("No match")


def test_escape_ends_the_search_and_leaves_the_dialog_around_it_open(stub: Stub, page: Page):
    stub.greeting = make_lines("one")
    stub.show(page, f"<dialog>{make_component('logs')}</dialog>")
    page.evaluate("document.querySelector('dialog').showModal()")
    search = page.get_by_role("searchbox")
    search.fill("one")
    search.press("Escape")
    expect(search).to_have_value("")
    expect(page.locator("mark")).to_have_count(0)
    assert page.evaluate("document.querySelector('dialog').open")


def test_enter_in_the_search_sends_no_form(stub: Stub, page: Page):
    stub.greeting = make_lines("row 1", "row 2")
    stub.show(page, f"<form action='/elsewhere'>{make_component('logs')}<button>Send</button></form>")
    page.get_by_role("searchbox").fill("row")
    page.get_by_role("searchbox").press("Enter")
    expect(page.locator("task-progress .told")).to_have_text("2 of 2")
    assert "elsewhere" not in page.url


def test_other_task_begins_without_the_search_of_the_one_before(stub: Stub, page: Page):
    component = show_log(stub, page, make_lines("one"))
    component.get_by_role("searchbox").fill("one")
    component.evaluate("element => element.setAttribute('task-id', 'u')")
    stub.wait_for_stream(1).send(make_lines("one", task_id="u"))
    expect_lines(component, "one")
    expect(component.locator("mark")).to_have_count(0)
    expect(component.get_by_role("searchbox")).to_have_value("")


# Levels


def test_lines_of_lesser_levels_are_left_out(stub: Stub, page: Page):
    component = show_log(stub, page, make_levels())
    choices = {
        "Info and above": LEVELS[1:],
        "Warnings and errors": LEVELS[2:],
        "Errors": LEVELS[3:],
        "All levels": LEVELS,
    }
    for choice, shown in choices.items():
        component.get_by_role("combobox", name="Levels").select_option(choice)
        expect_lines(component, *shown)


def test_line_that_comes_is_shown_if_its_level_is_chosen(stub: Stub, page: Page):
    component = show_log(stub, page, make_levels())
    component.get_by_role("combobox").select_option("Errors")
    stub.wait_for_stream().send(make_lines("quiet", offset=5) + make_lines("loud", level="error", offset=6))
    expect_lines(component, "error", "critical", "loud")


def test_level_of_a_name_of_its_own_counts_as_information(stub: Stub, page: Page):
    component = show_log(stub, page, make_lines("done", level="success") + make_lines("x", level="debug", offset=1))
    component.get_by_role("combobox").select_option("Info and above")
    expect_lines(component, "done")


def test_level_is_said_to_those_who_do_not_see_its_colour(stub: Stub, page: Page):
    component = show_log(stub, page, make_levels())
    heard = [line[8:] for line in component.locator(".line").all_text_contents()]  # after the time
    assert heard == ["debug: debug", "info", "warning: warning", "error: error", "critical: critical"]


# Expand


def test_log_expands_to_the_height_of_the_window_and_back(stub: Stub, page: Page):
    component = show_log(stub, page, make_lines(*[f"line {number}" for number in range(250)]))
    pane, log = component.locator(".pane"), component.locator(".log")
    before = pane.bounding_box()
    press(component, "Expand")
    box = pane.bounding_box()
    assert before is not None
    assert box is not None
    assert HEIGHT * 0.85 < box["height"] <= HEIGHT
    assert 0 <= box["y"] <= HEIGHT - box["height"]
    expect(component.locator(".line")).to_have_count(250)
    assert log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight") < 2
    press(component, "Collapse")
    expect(component.locator(".line")).to_have_count(200)
    after = pane.bounding_box()
    assert after is not None
    assert after["height"] == before["height"]


def test_search_keeps_its_place_when_the_log_expands(stub: Stub, page: Page):
    component = show_log(stub, page, make_lines("row 1", "row 2"))
    component.get_by_role("searchbox").fill("row")
    press(component, "Next match")
    press(component, "Expand")
    expect(component.locator(".told")).to_have_text("2 of 2")


# Copy and download


def test_copy_takes_the_lines_that_are_shown(stub: Stub, page: Page):
    component = show_log(stub, page, make_levels())
    component.get_by_role("combobox").select_option("Errors")
    press(component, "Copy the lines shown")
    expect(component.locator(".told")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == (
        "2026-03-01T09:41:07.000Z ERROR error\n2026-03-01T09:41:07.000Z CRITICAL critical\n"
    )


def test_copy_works_in_a_page_without_tls(stub: Stub, own_page: Page):
    own_page.add_init_script("Object.defineProperty(Navigator.prototype, 'clipboard', { get: () => undefined });")
    component = show_log(stub, own_page, make_lines("one"))
    own_page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<textarea></textarea>')")
    press(component, "Copy the lines shown")
    expect(component.locator(".told")).to_have_text("Copied")
    expect(component.get_by_role("button", name="Copy the lines shown")).to_be_focused()
    own_page.locator("main > textarea").press("Control+V")
    expect(own_page.locator("main > textarea")).to_have_value("2026-03-01T09:41:07.000Z INFO one\n")


def test_answer_to_a_copy_makes_way_for_the_place_of_the_search(stub: Stub, own_page: Page):
    own_page.clock.install()
    component = show_log(stub, own_page, make_lines("one"))
    component.get_by_role("searchbox").fill("one")
    press(component, "Copy the lines shown")
    expect(component.locator(".told")).to_have_text("Copied")
    stub.wait_for_stream().send(make_lines("one", offset=1))
    expect(component.locator(".line")).to_have_count(2)
    expect(component.locator(".told")).to_have_text("Copied")
    own_page.clock.run_for(2000)
    expect(component.locator(".told")).to_have_text("1 of 2")


def test_download_has_all_lines_whatever_is_shown(stub: Stub, page: Page, tmp_path: Path):
    component = show_log(stub, page, make_lines(*[f"line {number}" for number in range(300)]))
    component.get_by_role("combobox").select_option("Errors")
    with page.expect_download() as started:
        press(component, "Download all lines")
    started.value.save_as(tmp_path / "log.txt")
    lines = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert lines == [f"2026-03-01T09:41:07.000Z INFO line {number}" for number in range(300)]


@pytest.mark.parametrize(("task_id", "name"), [("t", "t-log.txt"), ("nightly:2026/03 é", "nightly-2026-03-é-log.txt")])
def test_download_is_named_after_its_task(stub: Stub, page: Page, task_id, name):
    stub.greeting = make_lines("one", task_id=task_id)
    stub.show(page, make_component("logs", task_id=task_id))
    with page.expect_download() as started:
        press(page.locator("task-progress"), "Download all lines")
    assert started.value.suggested_filename == name


def test_download_leaves_nothing_in_the_page(stub: Stub, own_page: Page):
    own_page.add_init_script(
        """
        window.urls = [];
        for (const name of ["createObjectURL", "revokeObjectURL"]) {
          const call = URL[name];
          URL[name] = (value) => { const url = call.call(URL, value); urls.push([name, url ?? value]); return url; };
        }
        """
    )
    own_page.clock.install()
    component = show_log(stub, own_page, make_lines("one"))
    with own_page.expect_download():
        press(component, "Download all lines")
    own_page.clock.run_for(10_000)
    (made, url), (revoked, same) = own_page.evaluate("urls")
    assert (made, revoked, same) == ("createObjectURL", "revokeObjectURL", url)


# New lines


def make_scrolled(stub: Stub, page: Page) -> Locator:
    """Show a log whose reader has scrolled up."""
    component = show_log(stub, page, make_lines(*[f"line {number}" for number in range(50)]))
    component.locator(".log").evaluate("log => (log.scrollTop = 0)")
    return component


def test_reader_who_scrolled_up_is_told_of_new_lines(stub: Stub, page: Page):
    component = make_scrolled(stub, page)
    stub.wait_for_stream().send(make_lines("50", offset=50))
    expect(component.get_by_role("button", name="1 new line below")).to_be_visible()
    stub.wait_for_stream().send(make_lines("51", "52", offset=51))
    expect(component.get_by_role("button", name="3 new lines below")).to_be_visible()
    assert component.locator(".log").evaluate("log => log.scrollTop") == 0


def test_button_of_new_lines_leads_to_the_end_and_goes(stub: Stub, page: Page):
    component = make_scrolled(stub, page)
    stub.wait_for_stream().send(make_lines("50", offset=50))
    component.get_by_role("button", name="1 new line below").press("Enter")
    expect(component.locator(".newer")).to_be_hidden()
    expect(component.locator(".line").last).to_be_in_viewport()
    expect(component.locator(".log")).to_be_focused()
    stub.wait_for_stream().send(make_lines("51", offset=51))
    expect(component.locator(".line").last).to_be_in_viewport()
    expect(component.locator(".newer")).to_be_hidden()


def test_button_of_new_lines_goes_when_the_reader_scrolls_to_the_end(stub: Stub, page: Page):
    component = make_scrolled(stub, page)
    stub.wait_for_stream().send(make_lines("50", offset=50))
    expect(component.locator(".newer")).to_be_visible()
    component.locator(".log").press("End")
    expect(component.locator(".newer")).to_be_hidden()


# No lines


def find_empty(component: Locator) -> Locator:
    return component.locator(".log:empty")


def test_task_that_lives_has_no_lines_yet(stub: Stub, page: Page):
    stub.greeting = encode()
    stub.show(page, make_component("logs"))
    expect(find_empty(page.locator("task-progress"))).to_have_attribute("data-empty", "No lines yet")


def test_task_that_has_ended_without_a_line_has_none(stub: Stub, page: Page):
    stub.show(page, make_component("logs", **DONE))
    expect(find_empty(page.locator("task-progress"))).to_have_attribute("data-empty", "No lines yet")  # they may come
    stub.wait_for_stream().send(encode(DONE))
    expect(find_empty(page.locator("task-progress"))).to_have_attribute("data-empty", "No lines")


def test_levels_that_leave_no_line_are_named_as_the_reason(stub: Stub, page: Page):
    component = show_log(stub, page, make_lines("one"))
    component.get_by_role("combobox").select_option("Errors")
    expect(find_empty(component)).to_have_attribute("data-empty", "No lines of these levels")


# How it fits


@needs_axe
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_to_complain_about_in_a_search(page: Page, stub: Stub, scheme):
    page.emulate_media(color_scheme=scheme)
    component = show_log(stub, page, make_levels())
    component.get_by_role("searchbox").fill("r")
    expect(component.locator("mark")).to_have_count(5)
    assert find_violations(page) == []


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_tools_fit_a_phone_of_320_pixels(page: Page, stub: Stub, direction):
    page.set_viewport_size({"width": 320, "height": HEIGHT})
    component = show_log(stub, page, make_lines(*["row"] * 250), dir=direction)
    component.get_by_role("searchbox").fill("row")
    tools = component.locator(".tools")
    assert tools.evaluate("tools => tools.scrollWidth <= tools.clientWidth")
    widths = component.locator(".tools button").evaluate_all("items => items.map((item) => item.offsetWidth)")
    assert min(widths) >= 24  # as WCAG asks of what is touched
