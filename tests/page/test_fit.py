"""How the component fits: what goes where there is little room, what opens, and texts of both directions."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import needs_chromium, open_tab, use_again
from tests.support.gallery import LONG, STAGES
from tests.support.stub import DONE, RUNNING, Stub, encode, make_component, run_stub

pytestmark = [needs_chromium, pytest.mark.slow]

HEIGHT = 640
PHONE = 320
ENDED = {"finished_at": "2026-03-01T09:42:04.000Z"}
ERROR = "The file is not UTF-8 text; save it as UTF-8 and try again, or say which encoding it has. " * 2
FAILED = {**RUNNING, **ENDED, "state": "failed", "status": ERROR, "error": {"type": "E", "message": ERROR}}
COUNTED = {"current": 42310, "total": 100000, "unit": "rows", "rate": 13600.0, "eta": 440.4}


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        yield running


@pytest.fixture(scope="module")
def open_page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser, expected_errors=("",)) as page:  # each test looks at its own
        yield page


@contextmanager
def show(
    open_page: Page, stub: Stub, attributes: str = "", *, width: int = PHONE, **snapshot: Any
) -> Iterator[Locator]:
    """Show a component in a page of this width, with nothing but its task's snapshot."""
    with use_again(open_page) as page:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        stub.greeting = encode({**RUNNING, **snapshot})
        stub.show(page, make_component(attributes, **snapshot))
        yield page.locator("task-progress")


def is_cut(text: Locator) -> bool:
    return bool(
        text.evaluate("text => text.scrollWidth > text.clientWidth || text.scrollHeight > text.clientHeight + 2")
    )


def find_bottom(element: Locator) -> float:
    box = element.bounding_box()
    assert box is not None
    return box["y"] + box["height"]


# Texts that are cut


def click(text: Locator) -> None:
    text.click()


def press_enter(text: Locator) -> None:
    text.press("Enter")


def press_space(text: Locator) -> None:
    text.press(" ")


@pytest.mark.parametrize("width", [604, PHONE])
def test_error_that_is_cut_opens_and_closes(open_page, stub, width):
    with show(open_page, stub, width=width, **FAILED) as component:
        status = component.locator(".status")
        expect(status).to_have_attribute("aria-expanded", "false")
        assert is_cut(status)
        for act in (click, press_enter, press_space):
            act(status)
            expect(status).to_have_attribute("aria-expanded", "true")
            assert not is_cut(status)
            act(status)
            expect(status).to_have_attribute("aria-expanded", "false")
            assert is_cut(status)


def test_error_that_is_cut_opens_on_a_tap(browser, stub):
    with open_tab(browser, viewport={"width": PHONE, "height": HEIGHT}, has_touch=True) as page:
        stub.show(page, make_component(**FAILED))
        status = page.locator("task-progress .status")
        expect(status).to_have_attribute("aria-expanded", "false")
        status.tap()
        expect(status).to_have_attribute("aria-expanded", "true")


def test_keyboard_alone_gets_to_an_error_that_is_cut(open_page, stub):
    with show(open_page, stub, "label=A", **FAILED) as component:
        expect(component.locator(".status")).to_have_attribute("role", "button")
        component.page.keyboard.press("Tab")
        expect(component.locator(".status")).to_be_focused()
        component.page.keyboard.press("Enter")
        assert not is_cut(component.locator(".status"))


def test_text_that_fits_is_no_button(open_page, stub):
    with show(
        open_page, stub, "label=Short", width=604, **{**FAILED, "error": {"type": "E", "message": "No"}}
    ) as component:
        component.evaluate("element => element.setAttribute('label', 'A name '.repeat(50))")
        expect(component.locator(".name")).to_have_attribute("role", "button")  # all are measured by now
        expect(component.locator(".status")).not_to_have_attribute("role", "button")


def test_name_that_is_cut_opens(open_page, stub):
    with show(open_page, stub, f"label='{LONG}'") as component:
        name = component.locator(".name")
        name.click()
        expect(name).to_have_attribute("aria-expanded", "true")
        assert not is_cut(name)


def test_text_is_cut_or_not_as_the_width_changes(open_page, stub):
    with show(open_page, stub, "label='Import of the customers of the whole year'", width=604) as component:
        component.page.set_viewport_size({"width": PHONE, "height": HEIGHT})
        expect(component.locator(".name")).to_have_attribute("aria-expanded", "false")
        component.page.set_viewport_size({"width": 604, "height": HEIGHT})
        expect(component.locator(".name")).not_to_have_attribute("role", "button")


def test_error_that_was_opened_can_be_selected_without_closing_it(open_page, stub):
    with show(open_page, stub, **FAILED) as component:
        status = component.locator(".status")
        status.click()
        box = status.bounding_box()
        assert box is not None
        mouse = component.page.mouse
        mouse.move(box["x"] + 5, box["y"] + 8)
        mouse.down()
        mouse.move(box["x"] + 120, box["y"] + 8)
        mouse.up()
        expect(status).to_have_attribute("aria-expanded", "true")


def test_other_task_begins_closed(open_page, stub):
    with show(open_page, stub, **FAILED) as component:
        component.locator(".status").click()
        component.evaluate("element => element.setAttribute('task-id', 'u')")
        stub.wait_for_stream().send(encode(FAILED, task_id="u"))
        expect(component.locator(".status")).to_have_attribute("aria-expanded", "false")


# Compact


@pytest.mark.parametrize("state", ["failed", "lost"])
@pytest.mark.parametrize("width", [604, PHONE])
def test_compact_says_why_it_failed_in_a_line_of_its_own(open_page, stub, state, width):
    with show(open_page, stub, "compact", width=width, **{**FAILED, "state": state}) as component:
        status = component.locator(".status")
        expect(status).to_be_visible()
        assert find_bottom(component.locator(".name")) < find_bottom(status) <= find_bottom(component)
        assert component.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("part", [".name", ".status"])
def test_text_of_a_compact_component_that_is_cut_opens(open_page, stub, part):
    with show(open_page, stub, f"compact label='{LONG}'", **FAILED) as component:
        text = component.locator(part)
        expect(text).to_have_attribute("aria-expanded", "false")
        text.press("Enter")
        expect(text).to_have_attribute("aria-expanded", "true")
        assert not is_cut(text)


def test_compact_that_runs_has_no_line_for_a_reason(open_page, stub):
    with show(open_page, stub, "compact", width=604) as component:
        expect(component.locator(".status")).to_be_hidden()


def test_compact_on_a_phone_shows_its_name(open_page, stub):
    with show(open_page, stub, "compact cancel label=Thumbnails") as component:
        assert not is_cut(component.locator(".name"))


# Facts


@pytest.mark.parametrize(
    ("width", "shown"),
    [(604, ["count", "rate", "left"]), (420, ["count", "left"]), (PHONE, ["left"])],
)
def test_rate_goes_first_then_the_count_and_the_time_left_stays(open_page, stub, width, shown):
    with show(open_page, stub, "cancel", width=width, **COUNTED) as component:
        for name in ("count", "rate", "left"):
            expect(component.locator(f".{name}")).to_be_visible(visible=name in shown)
        assert not is_cut(component.locator(".meta"))


def test_time_left_stays_beside_a_count_of_any_length(open_page, stub):
    facts = {**COUNTED, "current": 423_100_000_000, "total": 1_000_000_000_000, "stages": STAGES}
    with show(open_page, stub, "cancel", width=480, **facts) as component:
        expect(component.locator(".count")).to_be_hidden()
        expect(component.locator(".left")).to_be_visible()
        assert not is_cut(component.locator(".meta"))


def test_facts_come_back_where_there_is_room_again(open_page, stub):
    with show(open_page, stub, **COUNTED) as component:
        expect(component.locator(".rate")).to_be_hidden()
        component.page.set_viewport_size({"width": 604, "height": HEIGHT})
        expect(component.locator(".rate")).to_be_visible()


def test_fact_that_is_shown_first_has_no_separator_before_it(open_page, stub):
    with show(open_page, stub, "cancel", **COUNTED) as component:
        expect(component.locator(".count")).to_be_hidden()
        assert re.fullmatch(r"[67]:\d\d left", component.locator(".meta").inner_text())


@pytest.mark.parametrize(
    ("attributes", "last", "snapshot"),
    [
        pytest.param("cancel", ".percent", {**FAILED, "error": {"type": "E", "message": "No"}}, id="failed"),
        pytest.param("cancel", ".status", {**DONE, "conclusion": "The end"}, id="succeeded"),
        pytest.param("", ".status", {"percent": None, "progress": 0}, id="running"),
        pytest.param("cancel", ".cancel", {"percent": None, "progress": 0}, id="running, cancellable"),
    ],
)
def test_nothing_is_reserved_below_the_last_text(open_page, stub, attributes, last, snapshot):
    with show(open_page, stub, attributes, **snapshot) as component:
        assert find_bottom(component.locator(".card")) - find_bottom(component.locator(last)) < 20


NAME = "Import customers.csv"


@pytest.mark.parametrize(
    ("attributes", "width", "snapshot"),
    [
        pytest.param("", PHONE, {**ENDED, "state": "cancelled", "progress": 42, "percent": 42.0}, id="stopped"),
        pytest.param("", PHONE, {"state": "queued", "queue_position": 12, "percent": None}, id="queued"),
        pytest.param("compact", 500, {"progress": 42, "percent": 42.0}, id="compact"),
    ],
)
def test_name_finds_room_where_there_is_some(open_page, stub, attributes, width, snapshot):
    with show(open_page, stub, f"{attributes} label='{NAME}'", width=width, **snapshot) as component:
        expect(component.locator(".percent")).not_to_be_empty()
        assert not is_cut(component.locator(".name"))


def test_place_in_the_line_and_the_time_until_then_are_seen_on_a_phone(open_page, stub):
    with show(open_page, stub, "cancel", state="queued", queue_position=12, percent=None, eta=58.0) as component:
        for text in (".percent", ".meta", ".cancel"):
            assert not is_cut(component.locator(text)), text


def test_status_without_facts_is_as_wide_as_the_bar(open_page, stub):
    with show(open_page, stub, width=604, **{**FAILED, "progress": 37}) as component:
        ends = [
            box["x"] + box["width"]
            for part in ("status", "bar")
            if (box := component.locator(f".{part}").bounding_box())
        ]
        assert abs(ends[0] - ends[1]) <= 2  # where a letter may lean out


# Large text


def test_large_text_on_a_phone_leaves_names_readable(open_page, stub):
    with show(open_page, stub, "cancel label='Import customers.csv'", **COUNTED) as component:
        component.page.add_style_tag(content="task-progress { --task-progress-font-size: 30px }")
        name = component.locator(".name")
        assert name.evaluate("name => name.clientWidth") > 150
        expect(name).to_be_in_viewport()
        assert component.page.evaluate("document.documentElement.scrollWidth") <= PHONE
        assert not is_cut(component.locator(".meta"))


@pytest.mark.parametrize("attributes", ["cancel", "compact cancel"])
def test_page_that_is_zoomed_to_160_pixels_leaves_names_readable(open_page, stub, attributes):
    with show(open_page, stub, f"{attributes} label='Import customers.csv'", width=160, **COUNTED) as component:
        assert component.locator(".name").evaluate("name => name.clientWidth") > 60
        assert component.page.evaluate("document.documentElement.scrollWidth") <= 160
        assert not is_cut(component.locator(".percent"))


@pytest.mark.parametrize("part", ["name", "status"])
def test_letters_that_reach_below_their_line_are_whole(open_page, stub, part):
    """There is ink right below a line that is too low for its letters, as lines are for some fonts and marks."""
    with show(open_page, stub, "label=gypgyp", width=604, **{**DONE, "conclusion": "gypgyp"}) as component:
        component.page.add_style_tag(content=f"task-progress::part({part}) {{ line-height: 0.5 }}")
        box = component.locator(f".{part}").bounding_box()
        assert box is not None
        below = {"y": box["y"] + box["height"] + 1, "width": 40, "height": 2}
        letters, nothing = (component.page.screenshot(clip={"x": x, **below}) for x in (box["x"], box["x"] + 150))
        assert letters != nothing


@pytest.mark.parametrize("width", [604, PHONE])
def test_question_is_as_large_as_the_button_that_asks_it(open_page, stub, width):
    with show(open_page, stub, "cancel", width=width) as component:
        button = component.locator(".cancel")
        size = button.evaluate("button => getComputedStyle(button).fontSize")
        button.click()
        for name in ("question", "yes", "no"):
            expect(component.locator(f".{name}")).to_have_css("font-size", size)


# Both directions


@contextmanager
def show_in(open_page: Page, stub: Stub, direction: str, attributes: str = "", **snapshot: Any) -> Iterator[Locator]:
    with use_again(open_page) as page:
        page.set_viewport_size({"width": 604, "height": HEIGHT})
        stub.greeting = encode({**RUNNING, **snapshot})
        stub.show(page, make_component(attributes, **snapshot), dir=direction)
        yield page.locator("task-progress")


#: The places from left to right at which the words of a text stand.
FIND_WORDS = """(element, words) => words.map((word) => {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const at = node.data.indexOf(word);
    if (at >= 0) {
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, at + word.length);
      return range.getBoundingClientRect().left;
    }
  }
})"""


def find_order(element: Locator, *words: str) -> list[str]:
    """Return words of an element as they stand from left to right."""
    places = element.evaluate(FIND_WORDS, list(words))
    return [word for _, word in sorted(zip(places, words, strict=True))]


def test_arabic_unit_leaves_the_other_facts_in_their_order(open_page, stub):
    with show_in(open_page, stub, "ltr", **{**COUNTED, "unit": "صف"}) as component:
        assert find_order(component.locator(".meta"), "42,310", "13,600", "left") == ["42,310", "13,600", "left"]


def test_duration_is_read_from_left_to_right_in_a_page_of_the_other_direction(open_page, stub):
    started = {**DONE, "started_at": "2026-03-01T08:30:00.000Z"}
    with show_in(open_page, stub, "rtl", **started) as component:
        assert find_order(component.locator(".percent"), "1", "h", "12", "min") == ["1", "h", "12", "min"]


def test_button_ends_with_its_ellipsis_in_a_page_of_the_other_direction(open_page, stub):
    with show_in(open_page, stub, "rtl", cancel_requested=True) as component:
        assert find_order(component.locator(".cancel"), "Cancelling", "…") == ["Cancelling", "…"]


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("name", ["Import of all the customers " * 5, "استيراد العملاء من الملف الطويل " * 5])
def test_long_name_is_cut_at_its_end_in_both_directions(open_page, stub, direction, name):
    with show_in(open_page, stub, direction, f"label='{name}'") as component:
        element = component.locator(".name")
        box = element.bounding_box()
        (start,) = element.evaluate(FIND_WORDS, [name.split()[0]])
        assert box is not None
        assert box["x"] <= start <= box["x"] + box["width"]
