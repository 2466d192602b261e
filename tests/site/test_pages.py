"""The demo's pages in a real browser, on a real Daphne."""

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.site.test_site import Site, run_site
from tests.support.browser import find_violations, needs_axe, needs_chromium, open_tab, use_again
from tests.support.gallery_site import SCENES
from tests.support.waiting import DEADLINE

pytestmark = [needs_chromium, pytest.mark.slow]

SLOW = 30_000

#: What is typed into the form of each example, and how many tasks end, and how.
RUNS = {
    "one": ({"duration": "0.5"}, 1, "succeeded"),
    "five": ({"duration": "0.5"}, 5, "succeeded"),
    "import": ({"rows": "300"}, 1, "succeeded"),
    "fail": ({"duration": "0.5"}, 1, "failed"),
    "cancel": ({"duration": "0.5"}, 1, "succeeded"),
    "indeterminate": ({"duration": "0.5"}, 1, "succeeded"),
    "log": ({"duration": "0.5"}, 1, "succeeded"),
    "many": ({"duration": "0.5"}, 50, "succeeded"),
    "batch": ({"duration": "0.5"}, 1, "failed"),  # two of forty
}

PATHS = ["/", *(f"/demo/{slug}" for slug in RUNS)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with run_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="module")
def open_page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser, expected_errors=("",)) as page:  # each test looks at its own
        yield page


@pytest.fixture
def page(open_page: Page) -> Iterator[Page]:
    with use_again(open_page) as page:
        yield page


@pytest.fixture
def own_page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser) as page:
        yield page


def start(site: Site, page: Page, slug: str, **fields: str) -> Locator:
    """Open a page, fill its form in, press Start, and return its components."""
    page.goto(f"{site.url}/demo/{slug}")
    for name, value in fields.items():
        page.fill(f"#{name}", value)
    page.click("#start-form button")
    return page.locator("task-progress")


def expect_states(components: Locator, count: int, state: str) -> None:
    expect(components.and_(components.page.locator(f"[data-state={state}]"))).to_have_count(count, timeout=SLOW)


@pytest.fixture(scope="module")
def query(site: Site) -> str:
    """The tasks that a page is looked at with: one that failed, and one that succeeded and has log lines."""
    task_ids = [
        requests.post(
            f"{site.url}/start-task", json={"task": task, "kwargs": {"duration": 0}}, timeout=DEADLINE
        ).json()
        for task in ("train_model", "write_report")
    ]
    return "?" + "&".join(f"task={answer['task_id']}" for answer in task_ids)


def test_navigation_names_the_pages_that_are_tried_here_and_the_monitor(site: Site, page: Page):
    page.goto(site.url)
    links = page.locator("nav a").evaluate_all("links => links.map((each) => new URL(each.href).pathname)")
    assert links == [*PATHS, "/tasks/monitor"]


def test_every_page_has_its_picture_in_the_gallery():
    assert set(PATHS) <= {scene.path for scene in SCENES}


@pytest.mark.parametrize("slug", RUNS)
def test_example_is_started_and_seen_to_end_as_it_should(site: Site, page: Page, slug: str):
    fields, count, state = RUNS[slug]
    components = start(site, page, slug, **fields)
    expect_states(components, count, state)
    expect(components).to_have_count(count)


def test_tasks_are_still_there_after_a_reload_with_their_names(site: Site, page: Page):
    components = start(site, page, "five", duration="0.5")
    expect_states(components, 5, "succeeded")
    names = [f"Simulation {number}" for number in (5, 4, 3, 2, 1)]
    expect(components.locator(".name")).to_have_text(names)
    page.reload()
    expect_states(components, 5, "succeeded")
    expect(components.locator(".name")).to_have_text(names)


def test_fifty_tasks_share_one_connection(site: Site, own_page: Page):
    components = start(site, own_page, "many", duration="600")
    expect(own_page.locator("#start-form button")).to_be_enabled(timeout=SLOW)
    streams: list[str] = []
    own_page.on("request", lambda request: streams.append(request.url) if "/task-progress?" in request.url else None)
    own_page.on("framenavigated", lambda frame: streams.clear())  # the page before may open its last stream until then
    own_page.reload()
    expect(own_page.locator("[data-transport=stream]")).to_have_count(50, timeout=SLOW)
    each = "[...document.querySelectorAll('task-progress')]"
    own_page.evaluate(f"Promise.all({each}.map((component) => component.requestCancel()))")
    expect_states(components, 50, "cancelled")
    assert [url.count("task=") for url in streams] == [50]


def test_failure_shows_its_message_while_debugging(site: Site, page: Page):
    components = start(site, page, "fail", duration="0.5")
    expect(components.locator(".status")).to_have_text("Failed: shard 4 has no labels", timeout=SLOW)


def test_import_shows_its_stages_as_segments_and_what_it_skipped(site: Site, page: Page):
    components = start(site, page, "import", rows="1000")
    expect_states(components, 1, "succeeded")
    titles = components.locator(".segment").evaluate_all("elements => elements.map((each) => each.title)")
    assert titles == ["Check", "Import"]
    skipped = page.locator("#tasks li")
    expect(components.locator(".status")).to_have_text(
        f"Imported {1000 - skipped.count()} rows, skipped {skipped.count()}"
    )
    page.click("summary")
    expect(skipped.first).to_be_visible()


def test_total_that_nobody_knows_is_shown_as_such_until_the_end(site: Site, page: Page):
    component = start(site, page, "indeterminate", duration="600")
    expect(component.locator(".meta")).to_contain_text("files", timeout=SLOW)
    expect(component.get_by_role("progressbar")).not_to_have_attribute("aria-valuenow", "0")
    component.evaluate("element => element.requestCancel()")
    expect_states(component, 1, "cancelled")


def test_task_is_started_and_cancelled_by_keyboard_alone(site: Site, page: Page):
    page.goto(f"{site.url}/demo/cancel")
    press_until(page, "Tab", "duration")
    page.keyboard.type("600")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    component = page.locator("task-progress")
    expect_states(component, 1, "running")
    expect(page.get_by_role("button", name="Start")).to_be_focused()
    press_until(page, "Tab", "cancel")
    page.keyboard.press("Enter")
    press_until(page, "Shift+Tab", "yes")
    page.keyboard.press("Enter")
    expect_states(component, 1, "cancelled")
    expect(component.locator(".status")).to_have_text("Cancelled by you")
    expect(component.locator(".line .text")).to_contain_text(["photos back"])


def test_visitor_can_cancel_after_a_reload_too(site: Site, page: Page):
    component = start(site, page, "cancel", duration="600")
    expect_states(component, 1, "running")
    page.reload()
    component.get_by_role("button", name="Cancel").click()
    component.get_by_role("button", name="Yes").click()
    expect_states(component, 1, "cancelled")


def press_until(page: Page, key: str, name: str) -> None:
    """Press a key until the element of this id or class has the focus."""
    focused = "() => { const { activeElement: host } = document; return host.shadowRoot?.activeElement ?? host; }"
    for _ in range(30):
        page.keyboard.press(key)
        if page.evaluate(
            f"name => {{ const it = ({focused})(); return it.id === name || it.classList.contains(name); }}", name
        ):
            return
    pytest.fail(f"{name!r} was not reached by {key}")


def test_refused_start_is_explained_beside_the_button(site: Site, browser: Browser):
    problem = '{"title": "Service Unavailable", "status": 503, "detail": "The queue is full; try again later."}'
    with open_tab(browser, expected_errors=("503",)) as page:
        page.route("**/start-task", lambda route: answer(route, problem))
        start(site, page, "one")
        expect(page.locator("#start-form [role=alert]")).to_have_text("The queue is full; try again later.")
        expect(page.locator("#start-form button")).to_be_enabled()
        expect(page.locator("#no-tasks")).to_be_visible()


def answer(route: Route, problem: str) -> None:
    route.fulfill(status=503, content_type="application/problem+json", body=problem)


def test_server_that_is_away_is_explained_beside_the_button(site: Site, browser: Browser):
    with open_tab(browser, expected_errors=("ERR_FAILED",)) as page:
        page.route("**/start-task", lambda route: route.abort())
        start(site, page, "one")
        expect(page.locator("#start-form [role=alert]")).to_have_text("The server can't be reached.")


@pytest.mark.parametrize(
    ("slug", "text"),
    [("one", "you can not start anything here"), ("import", "you can import a file, but not start anything else")],
)
def test_reader_without_javascript_is_told_what_does_not_work(site: Site, browser: Browser, slug: str, text: str):
    with open_tab(browser, java_script_enabled=False) as page:
        page.goto(f"{site.url}/demo/{slug}")
        alert = page.locator("noscript .alert")
        expect(alert).to_be_visible()
        expect(alert).to_contain_text(text)


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing_to_complain_about(site: Site, page: Page, query: str, path: str, scheme):
    page.emulate_media(color_scheme=scheme)
    page.goto(site.url + path + query)
    expect(page.locator("task-progress[data-state=failed]")).to_have_count(1)
    assert find_violations(page) == []


@needs_axe
def test_axe_finds_nothing_to_complain_about_in_the_open_list_of_skipped_rows(site: Site, page: Page):
    start(site, page, "import", rows="3000")
    page.click("summary", timeout=SLOW)
    assert find_violations(page) == []


def test_pages_fit_a_phone_of_320_pixels(site: Site, page: Page, query: str):
    page.set_viewport_size({"width": 320, "height": 640})
    for path in PATHS:
        page.goto(site.url + path + query)
        expect(page.locator("task-progress[data-state=failed]")).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
