"""The monitor in a browser, on a real site: what staff see of tasks, live."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import needs_chromium, open_browser
from tests.monitor_site import ANA, LI, clear_tasks, make_task, make_url, open_staff_tab, put_tasks, run_monitor_site
from tests.wire_site import Site

pytestmark = needs_chromium

SLOW = 30_000


@pytest.fixture(scope="module")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with run_monitor_site(tmp_path_factory.mktemp("site"), EXPOSE_ERRORS=True) as running:
        yield running


@pytest.fixture
def site(running_site: Site) -> Site:
    clear_tasks(running_site)
    return running_site


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Playwright turns the back/forward cache off unless it is told not to.
    with open_browser(ignore_default_args=["--disable-back-forward-cache"]) as running:
        yield running


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    with open_staff_tab(browser, site) as page:
        yield page


def find_rows(page: Page) -> Locator:
    return page.locator("#rows tr")


def test_tasks_are_listed_the_newest_first(site: Site, page: Page):
    put_tasks(site, [make_task("old", age=60), make_task("new", "shop.tasks.send_mail", age=10, owner=ANA)])
    page.goto(make_url(site))
    expect(find_rows(page).locator(".task")).to_have_text(["Send mail", "Import rows"], timeout=SLOW)
    expect(find_rows(page).locator(".owner")).to_have_text(["ana", ""])


def test_bar_of_a_running_task_moves(site: Site, page: Page):
    task_id = site.start_puppet("moving")
    page.goto(make_url(site))
    row = find_rows(page)
    expect(row).to_have_count(1, timeout=SLOW)
    site.order("moving", current=42, total=100, status="Importing")
    expect(row.locator(".percent")).to_have_text("42%", timeout=SLOW)
    site.order_return("moving")
    expect(row).to_have_attribute("data-state", "succeeded", timeout=SLOW)
    assert site.get_snapshot(task_id)["state"] == "succeeded"
