"""The component in pages whose styles were not made for it."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import needs_chromium, open_tab
from tests.support.matrix import STYLES
from tests.support.stub import Stub, encode, make_component, run_stub

pytestmark = [needs_chromium, pytest.mark.slow]

#: Reads the size and the look of each part.
MEASURE = """({ shadowRoot }) => Object.fromEntries([...shadowRoot.querySelectorAll(".card *")].map((part) => {
  const { width, height } = part.getBoundingClientRect();
  const style = getComputedStyle(part);
  const names = ["fontSize", "fontStyle", "fontWeight", "letterSpacing", "lineHeight", "textIndent", "textShadow",
    "textTransform", "wordSpacing", "color", "textAlign", "fontVariantNumeric", "marginTop", "paddingTop"];
  return [part.getAttribute("class"), [Math.round(width), Math.round(height), ...names.map((name) => style[name])]];
}))"""

FAMILY = "main { width: 544px !important; max-width: none !important; font-family: monospace !important }"


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        running.greeting = encode()
        yield running


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    with open_tab(browser) as page:
        page.emulate_media(reduced_motion="reduce")  # the box of an icon grows while it turns
        yield page


def measure(stub: Stub, tab: Page, style: str) -> dict[str, Any]:
    component = make_component("cancel", current=1, total=4, unit="rows", rate=3.0)
    stub.show(tab, component, head=f"<style>{FAMILY} {style}</style>")
    return tab.locator("task-progress").evaluate(MEASURE)


@pytest.mark.parametrize("style", [style for style in STYLES.values() if style], ids=[*STYLES][1:])
def test_component_looks_as_in_a_plain_page(stub, tab, style):
    assert measure(stub, tab, style) == measure(stub, tab, "")


def test_reset_of_margins_leaves_components_their_distance(stub, tab):
    head = f"<style>{STYLES['preflight']} main {{ display: block !important }}</style>"
    components = [make_component(task_id=f"t{number}") for number in (1, 2)]
    stub.show(tab, *components, head=head + "<style>task-progress { --task-progress-margin: 12px !important }</style>")
    first, second = (tab.locator("task-progress").nth(number).locator(".card").bounding_box() for number in (0, 1))
    assert second["y"] - first["y"] - first["height"] == 12


def test_two_hundred_stages_all_have_their_place_in_the_bar(stub, tab):
    stages = [{"name": f"s{number}", "weight": 1, "progress": 50, "state": "running"} for number in range(200)]
    stub.show(tab, make_component(stages=stages))
    segments = tab.locator("task-progress .segment")
    widths = segments.evaluate_all("items => items.map((item) => item.getBoundingClientRect().width)")
    bar = tab.locator("task-progress .bar").bounding_box()
    assert min(widths) > 0
    assert sum(widths) > bar["width"] / 2


DARK, LIGHT = "rgb(27, 27, 31)", "rgb(255, 255, 255)"


def find_background(tab: Page, number: int = 0) -> str:
    card = tab.locator("task-progress .card").nth(number)
    return str(card.evaluate("card => getComputedStyle(card).backgroundColor"))


def test_component_is_dark_as_long_as_the_page_has_the_class_of_dark_ones(stub, tab):
    """Tailwind and others darken a page by it, without a word of `color-scheme`."""
    stub.show(tab, make_component(), head="<style>:root { color-scheme: normal !important }</style>")
    backgrounds = [find_background(tab)]
    for _ in range(2):
        tab.evaluate("document.documentElement.classList.toggle('dark')")
        backgrounds.append(find_background(tab))
    assert backgrounds == [LIGHT, DARK, LIGHT]


def test_component_in_a_dark_part_of_a_page_is_dark_alone(stub, tab):
    stub.show(tab, make_component(), f"<section class=dark>{make_component(task_id='u')}</section>")
    assert [find_background(tab, number) for number in (0, 1)] == [LIGHT, DARK]


def test_page_says_by_a_property_that_it_is_dark(stub, tab):
    stub.show(tab, make_component(), head="<style>body { --task-progress-color-scheme: dark }</style>")
    assert find_background(tab) == DARK


def test_page_that_is_dark_by_color_scheme_has_dark_components(stub, tab):
    stub.show(tab, make_component(), head="<style>:root { color-scheme: dark !important }</style>")
    assert find_background(tab) == DARK
