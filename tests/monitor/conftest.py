"""A page of the monitor that the tests of a module share, on the site that the module runs."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import use_again
from tests.support.monitor_site import open_staff_tab
from tests.support.wire_site import Site


@pytest.fixture(scope="module")
def open_page(browser: Browser, running_site: Site) -> Iterator[Page]:
    with open_staff_tab(browser, running_site, expected_errors=("",)) as page:  # each test looks at its own
        yield page


@pytest.fixture
def page(open_page: Page, site: Site) -> Iterator[Page]:
    with use_again(open_page) as page:
        yield page


@pytest.fixture
def own_page(browser: Browser, site: Site) -> Iterator[Page]:
    with open_staff_tab(browser, site) as page:
        yield page
