"""Imports on the demo site in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.site.test_site import Site, run_site
from tests.support.browser import find_violations, needs_axe, needs_chromium, open_tab

pytestmark = [needs_chromium, pytest.mark.slow]

HEADER = "name,email,amount,joined\n"
GOOD = "Zoë,zoe@example.com,1.50,2024-02-29\n"
BAD = "Bob,nowhere,2,2024-01-01\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with run_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser) as page:
        yield page


def send(site: Site, page: Page, content: str, *, encoding: str = "utf-8") -> Locator:
    """Import a file from the page of the example, and return its component."""
    page.goto(f"{site.url}/demo/import")
    choose(page, content.encode(encoding))
    return page.locator("task-progress")


def choose(page: Page, content: bytes) -> None:
    page.set_input_files("#file", {"name": "rows.csv", "mimeType": "text/csv", "buffer": content})
    page.click("#import-form button")


def expect_state(component: Locator, state: str) -> None:
    expect(component).to_have_attribute("data-state", state)


def test_import_without_a_valid_row_is_red_and_says_why_also_after_a_reload(site: Site, page: Page):
    component = send(site, page, HEADER + BAD * 2)
    expect_state(component, "failed")
    said = "Failed: Nothing was imported. No row is valid. Line 2: email 'nowhere' is not an address."
    expect(component.locator(".status")).to_have_text(said)
    expect(page.locator("summary")).to_have_text("2 skipped rows")
    page.reload()
    expect_state(component, "failed")
    expect(component.locator(".status")).to_have_text(said)
    expect(page.locator("summary")).to_have_text("2 skipped rows")


@pytest.mark.parametrize("good", [GOOD, ""], ids=["succeeded", "failed"])
def test_skipped_rows_are_downloaded_by_a_link(site: Site, page: Page, tmp_path: Path, good: str):
    send(site, page, HEADER + good + BAD)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    download.value.save_as(tmp_path / "rows.csv")
    assert download.value.suggested_filename == "skipped-rows.csv"
    assert (tmp_path / "rows.csv").read_text("utf-8-sig").endswith('"Bob","nowhere","2","2024-01-01"\n')


def test_list_and_download_say_how_many_of_the_skipped_rows_they_have(browser: Browser, tmp_path: Path):
    with run_site(tmp_path, DJANGO_IMPORT_MAX_BYTES="80000") as site, open_tab(browser) as page:
        send(site, page, HEADER + GOOD + BAD * 2000)
        expect(page.locator("summary")).to_have_text("The first 1,000 of 2,000 skipped rows")
        expect(page.locator(".outcome a")).to_have_text("Download the first 1,052 as CSV")


def test_import_that_skips_nothing_has_no_download(site: Site, page: Page):
    expect_state(send(site, page, HEADER + GOOD), "succeeded")
    assert page.locator(".outcome").count() == 0


def test_column_that_is_not_imported_is_named(site: Site, page: Page):
    send(site, page, HEADER.replace("\n", ",Phone\n") + GOOD)
    expect(page.locator(".outcome")).to_have_text("Columns that are not imported: 'Phone'.")


def test_windows_1252_is_offered_and_imported_once_it_is_chosen(site: Site, browser: Browser):
    content = HEADER.replace(",", ";") + GOOD.replace(",", ";")
    with open_tab(browser, expected_errors=("400",)) as page:
        component = send(site, page, content, encoding="cp1252")
        expect(page.locator("#import-form [role=alert]")).to_have_text(
            "Line 2 is not UTF-8. If the file is Windows-1252, choose that; else save it as CSV UTF-8."
        )
        page.select_option("#encoding", label="Windows-1252")
        page.click("#import-form button")
        expect(component.locator(".status")).to_have_text("Imported 1 row, skipped 0")
        expect(page.locator("#import-form [role=alert]")).to_be_hidden()


def test_encoding_is_chosen_for_one_file_alone(site: Site, page: Page):
    page.goto(f"{site.url}/demo/import")
    page.select_option("#encoding", label="Windows-1252")
    expect(page.locator("#encoding")).to_have_value("windows-1252")
    choose(page, (HEADER + GOOD).encode())
    expect(page.locator("#encoding")).to_have_value("")


def test_refusal_without_javascript_names_the_line(site: Site, browser: Browser):
    with open_tab(browser, java_script_enabled=False, expected_errors=("400",)) as page:
        send(site, page, HEADER + GOOD, encoding="cp1252")
        expect(page.locator("#import-form [role=alert]")).to_contain_text("Line 2 is not UTF-8.")


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_to_complain_about_after_imports(site: Site, browser: Browser, scheme: str):
    with open_tab(browser, color_scheme=scheme) as page:
        send(site, page, HEADER.replace("\n", ",Phone\n") + GOOD + BAD * 50)
        expect(page.locator("summary")).to_have_count(1)
        choose(page, (HEADER + BAD).encode())
        expect(page.locator("summary")).to_have_count(2)
        page.locator("summary").first.click()
        assert find_violations(page) == []


def test_what_an_import_left_out_fits_a_phone_of_320_pixels(site: Site, browser: Browser):
    with open_tab(browser, viewport={"width": 320, "height": 640}) as page:
        send(site, page, HEADER.replace("\n", f",{'Phone' * 20}\n") + GOOD + BAD.replace("nowhere", "x" * 200))
        page.click("summary")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
