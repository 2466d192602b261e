"""Components on a real site: Daphne, a browser, a proxy in between, and a server that dies in the middle of a task."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tasks_app import make_token
from tests.support.browser import needs_chromium, needs_whole_chromium, open_page_keeper, open_tab
from tests.support.component_site import BUFFERING, NGINX, make_url, run_component_site, run_proxy
from tests.support.readme import find_block
from tests.support.servers import find_free_port, run_runserver
from tests.support.valkey import ValkeyServer
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wire_site import Site
from tests.wakeups.test_channel_layer import end, report, run_worker

pytestmark = needs_chromium

TAG = "{% load tasks_app %}{% task_progress task cancel=True %}"
TAGS = "{% load tasks_app %}{% for task in tasks.split %}{% task_progress task %}{% endfor %}"
SLOW = 30_000

needs_nginx = pytest.mark.skipif(NGINX is None, reason="there is no nginx ('apt-get install nginx-light')")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with run_component_site() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser) as page:
        yield page


def show_one(site: Site, page: Page, task_id: str, body: str = TAG, port: int = 0, **context: str) -> Locator:
    page.goto(make_url(site, body, port=port, task=task_id, **context))
    return page.locator("task-progress")


def show_to_canceller(site: Site, page: Page, task_id: str) -> Locator:
    """Show a task to a reader who may cancel it."""
    tag = "{% load tasks_app %}{% task_progress task cancel=True token=token %}"
    return show_one(site, page, task_id, tag, token=make_token(task_id, scope="control"))


def expect_state(component: Locator, state: str, *, timeout: float = SLOW) -> None:
    expect(component).to_have_attribute("data-state", state, timeout=timeout)


def expect_percent(component: Locator, percent: int, *, timeout: float = SLOW) -> None:
    expect(component.locator(".percent")).to_have_text(f"{percent}%", timeout=timeout)


def test_task_is_seen_from_its_middle_to_its_end_under_a_strict_policy(site: Site, page: Page):
    task_id = site.start_puppet("strict")
    component = show_one(site, page, task_id)
    site.order("strict", current=42, total=100, status="<script>alert(1)</script>", unit="rows")
    expect_percent(component, 42)
    expect(component.locator(".status")).to_have_text("<script>alert(1)</script>")
    expect(component).to_have_attribute("data-transport", "stream")
    site.order_return("strict", {"url": "/result"})
    expect_state(component, "succeeded")
    expect(component.get_by_role("link", name="Open result")).to_be_visible()
    site.wait_until_free()


def test_fifty_components_use_one_connection(site: Site, page: Page):
    names = [f"many-{number}" for number in range(50)]
    task_ids = [site.start_puppet(name) for name in names]
    page.goto(make_url(site, TAGS, tasks=" ".join(task_ids)))
    expect(page.locator("task-progress[data-transport=stream]")).to_have_count(50, timeout=SLOW)
    assert site.get_stats()["viewers"] == 1
    for name in names:
        site.order_return(name)
    expect(page.locator("task-progress[data-state=succeeded]")).to_have_count(50, timeout=SLOW)
    site.wait_until_free()


def test_component_added_later_shares_the_connection_and_one_removed_leaves_it(site: Site, page: Page):
    first, second = site.start_puppet("first"), site.start_puppet("second")
    component = show_one(site, page, first)
    expect(component).to_have_attribute("data-transport", "stream")
    page.evaluate(
        "id => document.querySelector('main').append("
        "Object.assign(document.createElement('task-progress'), { id: 'late' }))"
        " ?? document.querySelector('#late').setAttribute('task-id', id)",
        second,
    )
    site.order("second", current=30, total=100)
    expect_percent(page.locator("#late"), 30)
    wait_until(lambda: site.get_stats()["viewers"] == 1, "both share one stream")
    page.evaluate("document.querySelector('task-progress').remove()")
    wait_until(lambda: site.get_stats()["watches"] == [second], "the first is let go of")
    site.order_return("first")
    site.order_return("second")
    expect_state(page.locator("#late"), "succeeded")
    site.wait_until_free()


def test_log_is_shown_as_it_grows_each_line_once(site: Site, page: Page):
    task_id, other_id = site.start_puppet("talker"), site.start_puppet("other")
    site.order("talker", log="one\ntwo")
    component = show_one(site, page, task_id, "{% load tasks_app %}{% task_progress task logs=True %}").first
    lines = component.locator(".log .text")
    expect(lines).to_have_text(["one", "two"], timeout=SLOW)
    # A component more is another stream, which sends the whole log once more.
    page.evaluate(
        "id => document.querySelector('main').append(Object.assign(document.createElement('task-progress'), "
        "{ id: 'late' })) ?? document.querySelector('#late').setAttribute('task-id', id)",
        other_id,
    )
    site.order("other", current=30, total=100)
    expect_percent(page.locator("#late"), 30)
    site.order("talker", log="three")
    expect(lines).to_have_text(["one", "two", "three"], timeout=SLOW)
    site.order_return("talker")
    site.order_return("other")
    expect_state(component, "succeeded")
    expect(lines).to_have_text(["one", "two", "three"])
    site.wait_until_free()


def test_tools_of_the_log_work_under_a_strict_policy(site: Site, page: Page):
    task_id = site.start_puppet("tools")
    site.order("tools", log="one\ntwo")
    component = show_one(site, page, task_id, "{% load tasks_app %}{% task_progress task logs=True %}").first
    component.get_by_role("searchbox").fill("two")
    expect(component.locator(".log mark")).to_have_text("two", timeout=SLOW)
    with page.expect_download() as started:
        component.get_by_role("button", name="Download all lines").click()
    assert started.value.suggested_filename == f"{task_id}-log.txt"
    site.order_return("tools")
    expect_state(component, "succeeded")
    site.wait_until_free()


def test_task_that_ended_without_a_line_says_so(site: Site, page: Page):
    task_id = site.start_puppet("silent")
    site.order_return("silent")
    wait_until(lambda: site.get_snapshot(task_id)["state"] == "succeeded", "it has ended")
    component = show_one(site, page, task_id, "{% load tasks_app %}{% task_progress task logs=True %}").first
    expect(component.locator(".log")).to_have_attribute("data-empty", "No lines", timeout=SLOW)
    site.wait_until_free()


def test_reader_cancels_the_task(site: Site, page: Page):
    task_id = site.start_puppet("cancelled")
    component = show_to_canceller(site, page, task_id)
    component.get_by_role("button", name="Cancel").click()
    component.get_by_role("button", name="Yes").click()
    expect_state(component, "cancelled")
    expect(component.locator(".status")).to_have_text("Cancelled by you")


def test_failure_is_shown(site: Site, page: Page):
    task_id = site.start_puppet("failing")
    component = show_one(site, page, task_id)
    site.order("failing", current=37, total=100)
    site.order_raise("failing", "a secret")
    expect_state(component, "failed")
    assert "a secret" not in component.evaluate("element => element.shadowRoot.textContent")


@pytest.mark.slow
@needs_whole_chromium
def test_page_that_was_left_and_comes_back_follows_on(site: Site, browser: Browser):
    task_id = site.start_puppet("left")
    with open_page_keeper(browser) as keeper, open_tab(keeper) as page:
        page.add_init_script("addEventListener('pageshow', (event) => (window.wasKept = event.persisted));")
        component = show_one(site, page, task_id)
        expect(component).to_have_attribute("data-transport", "stream")
        page.goto(make_url(site, "elsewhere"))
        site.wait_until_free()
        site.order("left", current=80, total=100)
        page.go_back(wait_until="commit")
        expect_percent(component, 80)
        assert page.evaluate("window.wasKept")
        site.order_return("left")
        expect_state(component, "succeeded")


@pytest.mark.slow
@needs_nginx
def test_server_that_dies_behind_a_proxy_is_shown_and_found_again(browser: Browser, tmp_path: Path):
    port = find_free_port()
    errors = ("Failed to load resource",)
    with ValkeyServer() as valkey, open_tab(browser, expected_errors=errors) as page:
        env = {"VALKEY_URL": valkey.connection_url}
        worker_env = {**env, "DJANGO_SETTINGS_MODULE": "tests.support.component_settings"}
        with run_worker(worker_env) as worker:
            assert worker.stdout is not None
            task_id = worker.stdout.readline().strip()
            with ExitStack() as proxy:
                with run_component_site(env=env, port=port) as site:
                    front = proxy.enter_context(run_proxy(port, tmp_path))
                    component = show_one(site, page, task_id, port=front)
                    report(worker, current=20, total=100, status="before")
                    expect_percent(component, 20)
                    os.killpg(site.server.process.pid, signal.SIGKILL)
                    site.server.process.wait(DEADLINE)
                    expect_state(component, "reconnecting")
                    report(worker, current=60, total=100, status="meanwhile")
                with run_component_site(env=env, port=port):
                    expect_percent(component, 60)
                    expect_state(component, "running")
                    end(worker)
                    expect_state(component, "succeeded")


@pytest.mark.slow
@needs_nginx
def test_proxy_that_holds_the_stream_back_makes_it_poll_to_the_end(site: Site, page: Page, tmp_path: Path):
    task_id = site.start_puppet("buffered")
    with run_proxy(site.port, tmp_path, BUFFERING) as port:
        component = show_one(site, page, task_id, port=port)
        site.order("buffered", current=30, total=100)
        expect(component).to_have_attribute("data-transport", "polling", timeout=SLOW)
        expect_percent(component, 30)
        site.order("buffered", current=70, total=100)
        expect_percent(component, 70)
        site.order_return("buffered")
        expect_state(component, "succeeded")
    site.wait_until_free()


def test_wsgi_server_is_polled_and_answers_that_nothing_changed(browser: Browser):
    env = {"DJANGO_SETTINGS_MODULE": "tests.support.component_settings", "WSGI": "1"}
    errors = ("501 (Not Implemented)",)
    with run_runserver(env=env) as server, open_tab(browser, expected_errors=errors) as page:
        site = Site(server)
        task_id = site.start_puppet("polled")
        component = show_one(site, page, task_id)
        expect(component).to_have_attribute("data-transport", "polling", timeout=SLOW)
        wait_until(lambda: f'"GET /tasks/{task_id} HTTP/1.1" 304' in site.log, "a poll is answered 304")
        site.order_return("polled")
        expect_state(component, "succeeded")


def test_tokens_of_several_components_share_a_stream_and_open_their_tasks_alone(site: Site, browser: Browser):
    with open_tab(browser, expected_errors=("404 (Not Found)",)) as page:  # it asks again for what it may not see
        page.goto(f"http://127.0.0.1:{site.port}/owned")
        states = page.locator("task-progress")
        for component, state in zip(states.all(), ["running", "running", "missing"], strict=True):
            expect_state(component, state)
        assert site.get_stats()["viewers"] == 1
        page.goto(make_url(site, "elsewhere"))
        site.wait_until_free()


def test_reader_without_javascript_sees_the_state_and_can_refresh(site: Site, browser: Browser):
    task_id = site.start_puppet("plain")
    with open_tab(browser, java_script_enabled=False) as page:
        site.order("plain", current=42, total=100, status="Half <b>done</b>")
        wait_until(lambda: site.get_snapshot(task_id)["progress"] == 42, "it has progress")
        component = show_one(site, page, task_id)
        expect(component).to_contain_text("Puppet 42%")
        expect(component).to_contain_text("Half <b>done</b>")
        site.order("plain", current=60, total=100)
        wait_until(lambda: site.get_snapshot(task_id)["progress"] == 60, "it goes on")
        component.get_by_role("link", name="Refresh").click()
        expect(component).to_contain_text("60%")
    site.order_return("plain")


@pytest.mark.parametrize("show", [show_one, show_to_canceller])
@pytest.mark.parametrize("width", [604, 320])
def test_card_is_as_high_before_its_script_is_there(site: Site, browser: Browser, width, show):
    task_id = site.start("async_puppet")  # none succeeds, so that nobody knows how long it takes
    heights = []
    for is_enabled in (False, True):
        viewport = {"width": width, "height": 640}
        with open_tab(browser, java_script_enabled=is_enabled, viewport=viewport) as page:
            component = show(site, page, task_id)
            if is_enabled:
                expect_state(component, "running")
            box = component.bounding_box()
            assert box is not None
            heights.append(box["height"])
    site.cancel(task_id)
    assert heights[0] == pytest.approx(heights[1], abs=12)


# README's examples


def test_tag_of_readme(site: Site, page: Page):
    task_id = site.start_puppet("readme-tag")
    token = make_token(task_id, scope="control")  # the reader of the example owns the task
    body = find_block("html", 'label="Import" cancel=True').replace("cancel=True", "cancel=True token=token")
    page.goto(make_url(site, body, task_id=task_id, token=token))
    component = page.locator("task-progress")
    expect(component.locator(".name")).to_have_text("Import")
    component.get_by_role("button", name="Cancel").click()
    component.get_by_role("button", name="Yes").click()
    expect_state(component, "cancelled")


def test_component_by_hand_of_readme(site: Site, page: Page):
    task_id = site.start_puppet("readme-hand")
    body = "{% load static %}" + find_block("html", "<task-progress task-id")
    page.goto(make_url(site, body, task_id=task_id))
    expect_state(page.locator("task-progress"), "running")
    site.order_return("readme-hand")
    expect_state(page.locator("task-progress"), "succeeded")


def test_script_for_frameworks_shows_a_component(site: Site, page: Page):
    task_id = site.start_puppet("framework")
    body = "{% load static %}" + find_block("html", "task-progress-define.js", document="docs/how-to/react.md")
    page.goto(make_url(site, body + '<task-progress task-id="{{ task_id }}"></task-progress>', task_id=task_id))
    expect_state(page.locator("task-progress"), "running")
    site.order_return("framework")
    expect_state(page.locator("task-progress"), "succeeded")


#: A browser without a window shows no notifications: what the page would show is written down.
NOTIFICATIONS = """
window.notifications = [];
window.Notification = class {
  static permission = "granted";

  constructor(title, { tag }) {
    notifications.push([title, tag]);
  }
};
Object.defineProperty(document, "hidden", { get: () => true });
"""


def test_notification_of_readme(site: Site, page: Page):
    page.add_init_script(NOTIFICATIONS)
    task_id = site.start_puppet("readme-notification")
    page.goto(make_url(site, '{% load tasks_app %}{% task_progress task label="Import" %}', task=task_id))
    page.evaluate(f"() => {{ {find_block('js', 'task-progress:end')} }}")
    expect_state(page.locator("task-progress"), "running")
    site.order("readme-notification", current=250, total=250)
    site.order("readme-notification", status="250 imported")
    site.order_return("readme-notification")
    expect_state(page.locator("task-progress"), "succeeded")
    wait_until(lambda: page.evaluate("notifications"), "it is notified")
    assert page.evaluate("notifications") == [["Import: 250 imported", task_id]]


@pytest.mark.skipif(find_spec("django_htmx") is None, reason="django-htmx is not installed (requirements.txt has it)")
def test_htmx_of_readme(site: Site, page: Page):
    task_id = site.start_puppet("readme-htmx")
    scripts = (
        """{% load static %}<script src="{% static 'django_htmx/htmx-2.min.js' %}"></script>"""
        """<script src="{% static 'django_htmx/ext/hx-sse-2.min.js' %}"></script>"""
    )
    policy = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'"
    page.goto(make_url(site, scripts + find_block("html", "hx-ext"), task_id=task_id, csp=policy))
    site.order("readme-htmx", current=42, total=100, status="<b>Half</b>")
    expect(page.locator("p")).to_have_text("42% <b>Half</b>", timeout=SLOW)
    site.order_return("readme-htmx")
    expect(page.locator("p")).to_have_text("100% <b>Half</b>", timeout=SLOW)
    site.wait_until_free()
