"""Streams that a real site refuses for a while: browsers come back by themselves when the server said so."""

import pytest
from playwright.sync_api import Browser, expect

from tests.support import wire
from tests.support.browser import needs_chromium, open_tab
from tests.support.component_site import make_url, run_component_site
from tests.support.waiting import wait_until

pytestmark = [needs_chromium, pytest.mark.slow]

TAG = "{% load tasks_app %}{% task_progress task %}"

FOLLOW = """(url) => {
  window.seen = [];
  window.source = new EventSource(url);
  source.onmessage = ({ data }) => seen.push(JSON.parse(data).progress);
  source.addEventListener("refused", ({ data }) => seen.push(JSON.parse(data).status));
}"""


@pytest.mark.parametrize("limit", ["MAX_STREAMS_PER_CLIENT", "MAX_STREAMS"])
def test_component_polls_while_its_stream_is_refused_and_is_back_on_one_later(browser: Browser, limit: str):
    with run_component_site(**{limit: 1}) as site, open_tab(browser) as page:
        task_id = site.start_puppet("p")
        with wire.open_streams(site.port, [f"/task-progress/{task_id}"]):
            page.goto(make_url(site, TAG, task=task_id))
            component = page.locator("task-progress")
            expect(component).to_have_attribute("data-transport", "polling", timeout=30_000)
            site.order("p", current=42, total=100)
            expect(component.locator(".percent")).to_have_text("42%", timeout=30_000)
        expect(component).to_have_attribute("data-transport", "stream", timeout=30_000)
        site.order_return("p")
        expect(component).to_have_attribute("data-state", "succeeded", timeout=30_000)


def test_event_source_of_any_page_comes_back_by_itself(browser: Browser):
    with run_component_site(MAX_STREAMS_PER_CLIENT=1) as site, open_tab(browser) as page:
        task_id = site.start_puppet("p")
        page.goto(make_url(site, "nothing"))
        with wire.open_streams(site.port, [f"/task-progress/{task_id}"]):
            page.evaluate(FOLLOW, f"/task-progress/{task_id}")
            wait_until(lambda: page.evaluate("seen") == [429], "it was refused")
            assert page.evaluate("source.readyState") == 0
        wait_until(lambda: page.evaluate("seen.at(-1)") == 0, "it is back")
        page.evaluate("source.close()")
        site.order_return("p")
        site.wait_until_free()
