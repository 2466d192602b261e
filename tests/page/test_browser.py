"""The demo's first page, and README's JavaScript, in a real browser."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import needs_chromium, open_tab
from tests.support.readme import find_block
from tests.support.servers import ROOT, Server, run_runserver

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The demo site, with its database, as `runserver` runs it."""
    folder = tmp_path_factory.mktemp("site")
    env = {
        "DJANGO_SETTINGS_MODULE": "progress_site.settings",
        "DJANGO_DATABASE": str(folder / "db.sqlite3"),
        "DJANGO_MEDIA_ROOT": str(folder / "media"),
    }
    manage("migrate", env=env)
    with run_runserver(env=env) as server:
        yield server


def manage(*arguments: str, env: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, check=True, capture_output=True)


def test_simulation_started_on_the_page_is_seen_to_complete(site: Server, browser: Browser):
    with open_tab(browser) as page:
        page.goto(site.url)
        page.fill("#duration", "1")
        page.click("#start-form button")
        expect(page.locator("task-progress .status")).to_have_text("Task completed!")
        expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")


def test_five_simulations_share_one_connection(site: Server, browser: Browser):
    with open_tab(browser) as page:
        streams: list[str] = []
        page.on("request", lambda request: streams.append(request.url) if "/task-progress?" in request.url else None)
        page.goto(site.url)
        page.fill("#duration", "2")
        page.fill("#count", "5")
        page.click("#start-form button")
        expect(page.locator("task-progress[data-state=succeeded]")).to_have_count(5)
        assert streams[-1].count("task=") == 5


def test_cancelled_simulation_says_so_and_never_shows_100(site: Server, browser: Browser):
    with open_tab(browser) as page:
        page.goto(site.url)
        page.fill("#duration", "600")
        page.click("#start-form button")
        page.click("task-progress .cancel")
        page.click("task-progress .yes")
        expect(page.locator("task-progress .status")).to_have_text("Cancelled by you")
        assert int(page.get_by_role("progressbar").get_attribute("aria-valuenow") or 100) < 100


def test_uploaded_file_is_imported_and_its_counts_are_shown(site: Server, browser: Browser, tmp_path: Path):
    sample = tmp_path / "sample.csv"
    sample.write_text("name,email,amount,joined\nAda,ada@example.com,1.50,2024-02-29\nBob,nowhere,2,2024-01-01\n")
    with open_tab(browser) as page:
        page.goto(site.url)
        page.set_input_files("#file", sample)
        page.click("#import-form button")
        expect(page.locator("task-progress")).to_have_attribute("data-state", "succeeded")
        expect(page.locator("task-progress .status")).to_have_text("Imported 1 row, skipped 1")
        expect(page.locator("task-progress .name")).to_have_text("Import sample.csv")
        expect(page.locator("#tasks li")).to_have_text(["Line 3: email 'nowhere' is not an address"])
        page.reload()
        expect(page.locator("#tasks li")).to_have_count(1)


def test_file_sent_without_javascript_shows_how_far_its_import_is(site: Server, browser: Browser, tmp_path: Path):
    sample = tmp_path / "sample.csv"
    sample.write_text("name,email,amount,joined\nAda,ada@example.com,1.50,2024-02-29\n")
    with open_tab(browser, java_script_enabled=False) as page:
        page.goto(site.url)
        page.set_input_files("#file", sample)
        page.click("#import-form button")
        while page.get_by_role("link", name="Refresh").count():
            page.get_by_role("link", name="Refresh").click()
        expect(page.locator("task-progress")).to_contain_text("Imported 1 row, skipped 0")


def start_simulation(page: Page, duration: float) -> dict[str, str]:
    """Start a simulation of so many seconds as a script does, and return the answer."""
    return dict(
        page.evaluate(
            """async (duration) => {
                const body = JSON.stringify({ task: "simulate", kwargs: { duration } });
                const headers = { "Content-Type": "application/json" };
                const response = await fetch("/start-task", { method: "POST", body, headers, credentials: "omit" });
                return await response.json();
            }""",
            duration,
        )
    )


def test_javascript_of_the_documents_follows_a_task_to_its_end(site: Server, browser: Browser):
    with open_tab(browser) as page:
        page.goto(site.url)
        progress_url = start_simulation(page, 0.2)["progress_url"]
        script = find_block("js", "EventSource", document="docs/how-to/without-component.md")
        page.evaluate(f"(progress_url) => {{ {script} }}", progress_url)
        expect(page).to_have_title("100% Task completed!")


def test_javascript_of_the_documents_cancels_a_task(site: Server, browser: Browser):
    with open_tab(browser) as page:
        page.goto(site.url)
        started = start_simulation(page, 600)
        csrf_token = page.locator("[name=csrfmiddlewaretoken]").first.input_value()
        script = find_block("js", "X-CSRFToken", document="docs/how-to/without-component.md")
        cancel = f"async ([cancel_url, csrf_token]) => {{ {script}; return response.status; }}"
        assert page.evaluate(cancel, [f"{started['cancel_url']}?token={started['token']}", csrf_token]) == 202
