"""What components cost the page: drawn once a frame, moved by the compositor alone, and still where nobody looks."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import needs_chromium, open_tab
from tests.support.stub import DONE, Stub, encode, make_component, run_stub
from tests.support.waiting import wait_until

pytestmark = [needs_chromium, pytest.mark.slow]

ONE = '<task-progress task-id="t"></task-progress>'
HOLD_FRAMES = "() => { window.held = []; window.requestAnimationFrame = (callback) => held.push(callback); }"

#: What moves or fades a layer without a new layout or paint.
CHEAP = {"transform", "translate", "opacity"}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser) as page:
        yield page


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        running.greeting = encode()
        yield running


def find_moved(component: Locator) -> set[str]:
    """Return the properties that the animations and transitions of a component change."""
    return set(
        component.evaluate(
            """({ shadowRoot }) => {
              const own = new Set(["offset", "easing", "composite", "computedOffset"]);
              const frames = shadowRoot.getAnimations().flatMap(({ effect }) => effect.getKeyframes());
              return frames.flatMap((frame) => Object.keys(frame).filter((name) => !own.has(name)));
            }"""
        )
    )


@pytest.mark.parametrize("percent", [42.0, None], ids=["determinate", "indeterminate"])
def test_running_task_moves_by_the_compositor_alone(stub: Stub, page: Page, percent):
    stub.greeting = encode(percent=percent)
    stub.show(page, ONE)
    component = page.locator("task-progress")
    expect(component).to_have_attribute("data-state", "running")
    moved = find_moved(component)
    assert moved
    assert moved <= CHEAP


def test_bar_that_grows_moves_by_the_compositor_alone(stub: Stub, page: Page):
    stub.show(page, ONE)
    component = page.locator("task-progress")
    expect(component).to_have_attribute("data-state", "running")
    properties = component.locator(".fill").evaluate("fill => getComputedStyle(fill).transitionProperty.split(', ')")
    assert set(properties) <= CHEAP


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_bar_is_filled_from_its_beginning_as_far_as_the_task_is(stub: Stub, page: Page, direction):
    page.emulate_media(reduced_motion="reduce")
    stub.show(page, make_component(progress=25, percent=25.0), dir=direction)
    begin, end = page.locator("task-progress .segment").evaluate(
        """(segment) => {
          const [whole, fill] = [segment.getBoundingClientRect(), segment.firstChild.getBoundingClientRect()];
          return [fill.left - whole.left, fill.right - whole.left].map((edge) => edge / whole.width);
        }"""
    )
    shown = (begin, end) if direction == "rtl" else (1 - end, 1 - begin)
    assert shown == pytest.approx((0.75, 1.75))


def test_task_moves_only_near_what_is_seen(stub: Stub, page: Page):
    stub.show(page, '<div style="block-size: 5000px"></div>', ONE)
    component = page.locator("task-progress")
    expect(component).to_have_attribute("data-state", "running")
    count = "document.querySelector('task-progress').shadowRoot.getAnimations().length"
    page.wait_for_function(f"{count} === 0")
    component.scroll_into_view_if_needed()
    page.wait_for_function(f"{count} > 0")


def test_task_out_of_sight_is_as_high_as_in_sight(stub: Stub, page: Page):
    stub.show(page, ONE, '<div style="block-size: 5000px"></div>', ONE)
    expect(page.locator("task-progress").last.locator(".unseen")).to_have_count(1)
    heights = page.locator("task-progress").evaluate_all("all => all.map((one) => one.offsetHeight)")
    assert heights[0] == heights[1] > 80


def test_task_out_of_sight_is_drawn_once_a_second_and_when_it_comes_near(stub: Stub, page: Page):
    page.clock.install()
    stub.show(page, '<div style="block-size: 5000px"></div>', ONE)
    component = page.locator("task-progress")
    percent = component.locator(".percent")
    expect(percent).to_have_text("42%")
    expect(component.locator(".unseen")).to_have_count(1)
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 5)
    stub.streams[0].send(encode(seq=50, progress=50, percent=50))
    wait_until(lambda: component.evaluate("({ snapshot }) => snapshot.progress") == 50, "the news have come")
    assert percent.text_content() == "42%"
    page.clock.run_for(1000)
    assert percent.text_content() == "50%"
    stub.streams[0].send(encode(seq=60, progress=60, percent=60))
    wait_until(lambda: component.evaluate("({ snapshot }) => snapshot.progress") == 60, "the news have come")
    component.scroll_into_view_if_needed()
    expect(percent).to_have_text("60%")


def test_news_within_a_frame_are_drawn_once_and_told_each(stub: Stub, page: Page):
    page.add_init_script("window.changes = 0; addEventListener('task-progress:change', () => changes++);")
    stub.show(page, ONE)
    percent = page.locator("task-progress .percent")
    expect(percent).to_have_text("42%")
    page.evaluate(HOLD_FRAMES)
    stub.streams[0].send(b"".join(encode(seq=seq, progress=seq, percent=seq) for seq in range(50, 60)))
    page.wait_for_function("changes === 11", polling=50)  # without frames
    assert percent.text_content() == "42%"
    assert page.evaluate("held.length") == 1
    page.evaluate("held[0]()")
    assert percent.text_content() == "59%"


def test_page_that_nobody_sees_is_drawn_all_the_same(stub: Stub, page: Page):
    stub.show(page, ONE)
    percent = page.locator("task-progress .percent")
    expect(percent).to_have_text("42%")
    page.evaluate(HOLD_FRAMES)
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true })")
    stub.streams[0].send(encode(seq=50, progress=50, percent=50))
    expect(percent).to_have_text("50%")


def test_end_waits_for_no_frame(stub: Stub, page: Page):
    stub.show(page, ONE)
    component = page.locator("task-progress")
    expect(component).to_have_attribute("data-state", "running")
    page.evaluate(HOLD_FRAMES)
    stub.streams[0].send(encode(DONE))
    expect(component.locator(".status")).to_have_text("Done")


def test_what_did_not_change_is_not_written(stub: Stub, page: Page):
    stub.show(page, ONE)
    component = page.locator("task-progress")
    expect(component.locator(".percent")).to_have_text("42%")
    count = component.evaluate(
        """(element) => {
          const observer = new MutationObserver(() => {});
          const options = { attributes: true, characterData: true, childList: true, subtree: true };
          observer.observe(element.shadowRoot, options);
          observer.observe(element, { attributes: true });
          element.render();
          return observer.takeRecords().map(({ target, attributeName }) => `${target.className} ${attributeName}`);
        }"""
    )
    assert count == []


def test_compact_keeps_its_height_at_the_end_of_its_task(stub: Stub, page: Page):
    stub.show(page, make_component("compact cancel"))
    component = page.locator("task-progress")
    expect(component).to_have_attribute("data-state", "running")
    before = component.bounding_box()
    stub.wait_for_stream().send(encode(DONE))
    expect(component).to_have_attribute("data-state", "succeeded")
    assert component.bounding_box() == before
