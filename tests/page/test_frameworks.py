"""The component in pages of React, Preact, Vue, Turbo and idiomorph, as their packages are today."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import needs_chromium, open_tab
from tests.support.frameworks import FRAMEWORKS, MORPHERS, NotInstalled, build_scripts
from tests.support.stub import DONE, Stub, encode, make_component, run_stub
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The script of each package's page."""
    try:
        return build_scripts(tmp_path_factory.mktemp("frameworks"))
    except NotInstalled as error:
        pytest.skip(str(error))


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        running.greeting = encode()
        yield running


@pytest.fixture(params=FRAMEWORKS)
def render(request: Any, browser: Browser, stub: Stub, scripts: Mapping[str, str]) -> Iterator[Callable[..., Locator]]:
    """Render the component with these attributes, and return it; without any, render nothing."""
    with open_tab(browser) as page:
        stub.show(page, '<div id="app"></div>')
        page.add_script_tag(content=scripts[request.param])
        yield lambda **attributes: render_with(page, request.param, attributes)


def render_with(page: Page, framework: str, attributes: dict[str, Any]) -> Locator:
    page.evaluate(
        "([framework, attributes]) => renderers[framework](document.querySelector('#app'), attributes)",
        [framework, {"task-id": "t", **attributes} if attributes else None],
    )
    return page.locator("task-progress")


def test_button_is_shown_and_hidden_as_the_framework_says(render):
    expect(render(cancel=True).locator(".cancel")).to_be_visible()
    expect(render(cancel=False).locator(".cancel")).to_be_hidden()


def test_cancel_can_be_requested_where_the_framework_set_the_property(render, stub):
    component = render(cancel=True)
    component.evaluate("element => element.requestCancel()")
    assert len(stub.find_requests("POST", "/tasks/t/cancel")) == 1


def test_component_follows_its_task_and_leaves_it_when_it_is_taken_away(render, stub):
    expect(render(label="Import")).to_have_attribute("data-state", "running")
    stream = stub.wait_for_stream()
    expect(render()).to_have_count(0)
    wait_until(lambda: stream.send(b": is anybody there?\n") or not stream.is_open, "its stream is closed")


@pytest.fixture(params=MORPHERS)
def page(request: Any, browser: Browser, stub: Stub, scripts: Mapping[str, str]) -> Iterator[Page]:
    """A page with a task that has succeeded."""
    with open_tab(browser) as page:
        stub.show(page, make_component(**DONE))
        page.add_script_tag(content=scripts[request.param])
        page.evaluate("name => { window.morph = morphers[name]; }", request.param)
        yield page


def morph(page: Page) -> Locator:
    """Change the page into what its server would render again, and return the component."""
    page.evaluate("html => morph(document.querySelector('task-progress'), html)", make_component(**DONE))
    return page.locator("task-progress")


def find_colors(component: Locator) -> list[str]:
    """Return the colours of the bar and of the icon."""
    return component.evaluate(
        """({ shadowRoot }) => [
          getComputedStyle(shadowRoot.querySelector(".fill")).backgroundColor,
          getComputedStyle(shadowRoot.querySelector("circle")).fill,
        ]"""
    )


def test_component_keeps_its_colours_after_a_morph(page):
    before = find_colors(page.locator("task-progress"))
    assert find_colors(morph(page)) == before


def test_state_can_still_be_read_from_the_attribute_after_a_morph(page):
    expect(morph(page)).to_have_attribute("data-state", "succeeded")
