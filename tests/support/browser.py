"""A real Chromium for the tests, the one of the system."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserType, ConsoleMessage, Error, Page, expect, sync_playwright

from tests.support.waiting import DEADLINE

try:
    from axe_playwright_python.sync_playwright import Axe
except ImportError:  # see `needs_axe`
    Axe = None

WHOLE_CHROMIUM = shutil.which("chromium")

#: The build that has no window takes a third of the CPU time per page.
CHROMIUM = shutil.which("chromium-headless-shell") or WHOLE_CHROMIUM

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None,
    reason="there is no chromium on PATH ('apt-get install chromium-headless-shell', or chromium)",
)

needs_whole_chromium = pytest.mark.skipif(
    WHOLE_CHROMIUM is None, reason="there is no chromium on PATH ('apt-get install chromium')"
)

needs_axe = pytest.mark.skipif(Axe is None, reason="axe-playwright-python is not installed (requirements.txt has it)")

#: What a page may be asked to look like. Their rules of structure are the same: the run that has time looks at both.
SCHEMES = ["light", pytest.param("dark", marks=pytest.mark.slow)]

expect.set_options(timeout=DEADLINE * 1000)

ARGUMENTS = [
    "--no-sandbox",  # tests may run as root
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--renderer-process-limit=1",  # or it begins one for a page that nobody opens
]


@contextmanager
def open_browser(**options: object) -> Iterator[Browser]:
    """Run a browser without a window."""
    with sync_playwright() as playwright, launch(playwright.chromium, CHROMIUM, **options) as browser:
        yield browser


@contextmanager
def open_page_keeper(browser: Browser) -> Iterator[Browser]:
    """Run, beside `browser`, one that keeps pages that were left, as the build without a window does not."""
    # Playwright turns that off unless it is told not to.
    options = {"ignore_default_args": ["--disable-back-forward-cache"]}
    with launch(browser.browser_type, WHOLE_CHROMIUM, **options) as keeper:
        yield keeper


@contextmanager
def launch(chromium: BrowserType, program: str | None, **options: object) -> Iterator[Browser]:
    browser = chromium.launch(executable_path=program, args=ARGUMENTS, **options)
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def open_tab(browser: Browser, *, expected_errors: tuple[str, ...] = (), **options: object) -> Iterator[Page]:
    """Open an empty page that shares nothing with others; fail if its console has an unexpected error by the end."""
    page = browser.new_page(**options)
    with _without_errors(page, expected_errors):
        try:
            yield page
        finally:
            page.close()


@contextmanager
def use_again(page: Page, *, expected_errors: tuple[str, ...] = ()) -> Iterator[Page]:
    """Use a page that stays open for other tests; fail if its console has an unexpected error by the end.

    It keeps its cookies and its clock, and scripts and permissions that it was given. It loads in half the CPU time.
    """
    size = page.viewport_size
    with _without_errors(page, expected_errors):
        try:
            yield page
        finally:
            page.unroute_all()
            page.evaluate("localStorage.clear(), sessionStorage.clear()")
            page.goto("about:blank")
            page.emulate_media(color_scheme="null", reduced_motion="null")
            if page.viewport_size != size:
                page.set_viewport_size(size)


@contextmanager
def _without_errors(page: Page, expected_errors: tuple[str, ...]) -> Iterator[None]:
    errors: list[str] = []

    def add_message(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    def add_error(error: Error) -> None:
        errors.append(str(error))

    page.on("console", add_message)
    page.on("pageerror", add_error)
    try:
        yield
    finally:
        page.remove_listener("console", add_message)
        page.remove_listener("pageerror", add_error)
    unexpected = [error for error in errors if not any(text in error for text in expected_errors)]
    assert unexpected == [], unexpected


def find_violations(page: Page) -> list[tuple[str, str]]:
    """Return what axe-core complains about: the rule, and the first element that breaks it."""
    response = Axe().run(page).response
    assert response["passes"], "axe looked at nothing"
    return [(found["id"], found["nodes"][0]["html"]) for found in response["violations"]]
