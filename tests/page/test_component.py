"""The component alone: what it shows and says of a snapshot, and how it is used. A stub answers it byte by byte."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tasks_app.snapshot.state import UNKNOWN
from tasks_app.templatetags.texts import TEXTS
from tests.support.browser import SCHEMES, find_violations, needs_axe, needs_chromium, open_tab, use_again
from tests.support.bundles import find_modules
from tests.support.gallery import COMPONENTS, LINES, STAGES
from tests.support.servers import ROOT
from tests.support.stub import DONE, RUNNING, Stub, encode, make_component, run_stub
from tests.support.waiting import DEADLINE, wait_until

pytestmark = needs_chromium

ENDED = {"finished_at": "2026-03-01T09:42:04.000Z"}

#: Has each event of components written down, from its beginning.
EVENTS = """
window.events = [];
for (const name of ["change", "end", "error"]) {
  document.addEventListener(`task-progress:${name}`, ({ detail, message, target }) => {
    window.events.push([name, target.getAttribute("task-id"), detail?.seq ?? null, message ?? null]);
  });
}
"""


@pytest.fixture(scope="module")
def open_page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser, expected_errors=("",)) as page:  # each test looks at its own
        page.add_init_script(EVENTS)
        yield page


@pytest.fixture
def page(open_page: Page, stub: Stub) -> Iterator[Page]:
    with use_again(open_page) as page:  # and have the stub outlive its requests
        yield page


@pytest.fixture
def own_page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser) as page:
        page.add_init_script(EVENTS)
        yield page


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        yield running


def show_one(stub: Stub, page: Page, attributes: str = "", **snapshot: Any) -> Locator:
    """Show one component that knows this snapshot: RUNNING, with changes."""
    stub.snapshots["t"] = {**RUNNING, **snapshot}
    stub.show(page, make_component(attributes, **snapshot))
    return page.locator("task-progress")


def show_named(stub: Stub, page: Page, components: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, Locator]:
    """Show components by the names of cases; each has attributes, and a snapshot that is RUNNING with changes."""
    task_ids = {name: f"t{number}" for number, name in enumerate(components)}
    made = [
        make_component(attributes, **{**snapshot, "task_id": task_ids[name]})
        for name, (attributes, snapshot) in components.items()
    ]
    stub.show(page, *made)
    return {name: page.locator(f"task-progress[task-id={task_id}]") for name, task_id in task_ids.items()}


def get_events(page: Page) -> list[list[Any]]:
    return page.evaluate("events")


# What it says

#: Snapshots, and what is shown of each: its state, and the texts of the percentage, the status and the rest.
STATES = {
    "running": ({}, ["running", "42%", "Importing rows", ""]),
    "count and rate": (
        {"current": 42310, "total": 100000, "unit": "rows", "rate": 13600.4},
        ["running", "42%", "Importing rows", "42,310 / 100,000 rows · 13,600 rows/s"],
    ),
    "no total": (
        {"current": 1284, "unit": "files", "percent": None, "progress": 0},
        ["running", "", "Importing rows", "1,284 files"],
    ),
    "bytes": (
        {"current": 48_300_000, "total": 1_204_000_000, "unit": "bytes", "rate": 512.0},
        ["running", "42%", "Importing rows", "48.3 MB / 1.2 GB · 512 B/s"],
    ),
    "stages": ({"stages": STAGES, "status": "Running"}, ["running", "42%", "Render charts", "step 2 of 3"]),
    "queued": (
        {"state": "queued", "status": "Queued", "queue_position": 3, "percent": None},
        ["queued", "3rd in line", "Queued", ""],
    ),
    "stalled": ({"stalled": True}, ["stalled", "42%", "No sign of life for 15 s", "Importing rows"]),
    "unknown": (
        {"state": "queued", "stalled": True, "status": UNKNOWN, "percent": None},
        ["stalled", "", "Unknown: the cache has lost it, but it may still begin", ""],
    ),
    "succeeded": (
        {**ENDED, "state": "succeeded", "progress": 100, "status": "Scanning"},
        ["succeeded", "1:02", "Done", ""],
    ),
    "succeeded with a count": (
        {**ENDED, "state": "succeeded", "progress": 100, "current": 1284, "total": 1284, "unit": "files"},
        ["succeeded", "", "Done · 1,284 files in 1:02", ""],
    ),
    "succeeded with a part": (
        {**ENDED, "state": "succeeded", "current": 99, "total": 120},
        ["succeeded", "", "Done · 99 / 120 in 1:02", ""],
    ),
    "succeeded with last words": (
        {**ENDED, "state": "succeeded", "current": 99, "conclusion": "21 rows are bad"},
        ["succeeded", "1:02", "21 rows are bad", ""],
    ),
    "took longer than an hour": (
        {**ENDED, "state": "succeeded", "progress": 100, "started_at": "2026-03-01T08:30:00.000Z"},
        ["succeeded", "1 h 12 min", "Done", ""],
    ),
    "failed with a message": (
        {
            **ENDED,
            "state": "failed",
            "status": "Batch 3",
            "error": {"type": "MemoryError", "message": "out of memory"},
        },
        ["failed", "stopped at 42%", "Failed: out of memory", ""],
    ),
    "failed without a message": (
        {**ENDED, "state": "failed", "status": "Failed", "error": {"type": "E", "message": "The task failed."}},
        ["failed", "stopped at 42%", "Failed", ""],
    ),
    "failed with a status of its own": (
        {**ENDED, "state": "failed", "status": "No rows.", "error": {"type": "E", "message": "The task failed."}},
        ["failed", "stopped at 42%", "Failed: No rows.", ""],
    ),
    "cancelled": ({**ENDED, "state": "cancelled"}, ["cancelled", "stopped at 42%", "Cancelled", ""]),
    "lost": (
        {**ENDED, "state": "lost"},
        ["lost", "stopped at 42%", "Lost: the worker stopped responding", "Importing rows"],
    ),
}


def test_states_are_said_in_words(stub: Stub, page: Page):
    components = show_named(stub, page, {name: ("", snapshot) for name, (snapshot, _) in STATES.items()})
    said = {}
    for name, component in components.items():
        expect(component).to_have_attribute("data-state", STATES[name][1][0])
        parts = [component.locator(f".{part}").text_content() for part in ("percent", "status", "meta")]
        texts = [re.sub(r"life for \d+ s", "life for 15 s", str(part)) for part in parts]  # that counts on
        said[name] = [STATES[name][1][0], *texts]
    assert said == {name: texts for name, (_, texts) in STATES.items()}


def test_task_that_begins_at_once_does_not_flash_its_place(stub: Stub, own_page: Page):
    own_page.clock.install()
    stub.show(own_page, '<task-progress task-id="t"></task-progress>')
    own_page.clock.pause_at(own_page.evaluate("Date.now()") / 1000 + 1)
    stub.wait_for_stream().send(encode(state="queued", status="Queued", queue_position=1))
    expect(own_page.locator(".status")).to_have_text("Queued")
    assert own_page.locator(".percent").text_content() == ""
    own_page.clock.run_for(1100)
    expect(own_page.locator(".percent")).to_have_text("1st in line")


def test_position_in_the_queue_is_an_ordinal(stub: Stub, page: Page):
    positions = {"1st": 1, "2nd": 2, "3rd": 3, "11th": 11, "21st": 21}
    snapshots = {name: {"state": "queued", "queue_position": position} for name, position in positions.items()}
    show_named(stub, page, {name: ("", snapshot) for name, snapshot in snapshots.items()})
    expect(page.locator("task-progress .percent")).to_have_text([f"{name} in line" for name in positions])


def test_time_left_is_counted_down_between_events(stub: Stub, own_page: Page):
    own_page.clock.install()
    stub.greeting = encode(eta=61.0)
    component = show_one(stub, own_page, eta=61.0)
    expect(component).to_have_attribute("data-transport", "stream")
    own_page.clock.run_for(3000)
    expect(component.locator(".meta")).to_have_text(re.compile("^0:5[4-8] left$"))
    own_page.clock.run_for(60_000)
    expect(component.locator(".meta")).to_have_text("")


def test_silence_is_not_said_to_be_longer_than_since_the_last_change(stub: Stub, own_page: Page):
    own_page.clock.install(time="2026-03-01T09:41:16.000Z")  # three seconds after it
    component = show_one(stub, own_page, stalled=True)
    expect(component.locator(".status")).to_have_text("No sign of life for 3 s")
    own_page.clock.run_for(62_000)
    expect(component.locator(".status")).to_have_text("No sign of life for 1 min")


def test_name_is_the_attribute_or_the_label_or_made_of_the_function(stub: Stub, page: Page):
    cases = {
        "neither": ("", {"label": None}),
        "label": ("", {"label": "Import a.csv"}),
        "both": ('label="My file"', {"label": "Import a.csv"}),
        "attribute": ('label="My file"', {"label": None}),
        "parent": ("", {"label": None, "task": "chain of shop.tasks.read_rows, shop.tasks.save"}),
    }
    show_named(stub, page, cases)
    names = ["Import customers", "Import a.csv", "My file", "My file", "Chain of read rows, save"]
    expect(page.locator("task-progress .name")).to_have_text(names)


def test_component_without_a_task_says_so(stub: Stub, page: Page):
    stub.show(page, "<task-progress></task-progress>")
    expect(page.locator("task-progress .status")).to_have_text("No task")
    assert stub.streams == []


def test_snapshot_in_the_page_that_is_none_is_left_to_the_stream(stub: Stub, page: Page):
    known = {
        "broken": "{",
        "list": "[]",
        "bare": '{"task_id": "bare"}',
        "odd": '{"task_id": "odd", "state": "other"}',
        "short": '{"task_id": "short", "state": "running"}',
    }
    stub.greeting = b"".join(encode(task_id=task_id) for task_id in known)
    script = '<task-progress task-id="{}"><script type="application/json">{}</script></task-progress>'
    stub.show(page, *(script.format(task_id, text) for task_id, text in known.items()))
    expect(page.locator("task-progress .status")).to_have_text(["Importing rows"] * len(known))


def test_markup_in_a_status_stays_text(stub: Stub, page: Page):
    text = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    component = show_one(stub, page, "logs", status=text, task=text, unit=text, current=1)
    stub.wait_for_stream().send(
        encode({"task_id": "t", "offset": 0, "lines": [{**LINES[0], "text": text}]}, event="log")
    )
    expect(component.locator(".text")).to_have_text(text)
    assert component.locator(".status").text_content() == text
    assert component.locator("img, script").count() == 1  # the snapshot that the page brought along


def show_results(stub: Stub, page: Page, *urls: object) -> list[Locator]:
    """Show a task for each of these results, and return its link."""
    components = show_named(stub, page, {repr(url): ("", {**DONE, "result": {"url": url}}) for url in urls})
    return [component.locator(".link") for component in components.values()]


def test_result_link_to_another_site_says_which(stub: Stub, page: Page):
    own, *others = show_results(stub, page, "/reports/7", "//evil.example/x", "https://user:pass@evil.example:8443/x")
    expect(own).to_have_text("Open result")
    assert own.get_attribute("rel") is None
    for link, host in zip(others, ("evil.example", "evil.example:8443"), strict=True):
        expect(link).to_have_text(f"Open result ({host})")
        assert link.get_attribute("rel") == "noopener noreferrer"


def test_result_link_leads_to_web_pages(stub: Stub, page: Page):
    links = show_results(stub, page, "/reports/7", "https://example.org/x")
    hrefs = [link.evaluate("link => link.href") for link in links]
    assert hrefs == [f"{stub.url}reports/7", "https://example.org/x"]


def test_result_link_leads_to_nothing_else(stub: Stub, page: Page):
    for link in show_results(stub, page, "javascript:alert(1)", "data:text/html,x", "http://[", 7):
        expect(link).to_be_hidden()
        assert link.get_attribute("href") == ""


def test_words_are_those_of_the_page(stub: Stub, page: Page):
    data = json.dumps({"done": "Fertig", "positionOther": "{n}. in der Reihe", "cancelled": "Abgebrochen"})
    head = f'<script type="application/json" id="task-progress-texts">{data}</script>'
    components = [
        make_component(task_id="a", **ENDED, state="succeeded", status="Completed"),
        make_component(task_id="b", state="queued", queue_position=3),
    ]
    stub.show(page, *components, head=head, lang="de")
    expect(page.locator(".status").first).to_have_text("Fertig")
    expect(page.locator(".percent").last).to_have_text("3. in der Reihe")


def test_numbers_are_those_of_the_language(stub: Stub, page: Page):
    stub.show(page, make_component(current=42310, total=100000, unit="Zeilen"), lang="de")
    expect(page.locator(".meta")).to_have_text("42.310 / 100.000 Zeilen")


def test_texts_of_translators_are_those_of_the_script(stub: Stub, page: Page):
    stub.show(page)
    module = "/static/tasks_app/task-progress-texts.js"
    assert page.evaluate(f"import('{module}').then((module) => module.texts)") == TEXTS


# The bar


def test_segments_are_as_wide_as_their_weights_and_filled_as_far_as_their_progress(stub: Stub, page: Page):
    component = show_one(stub, page, stages=STAGES)
    page.wait_for_function(
        """() => {
          const root = document.querySelector("task-progress").shadowRoot;
          const edges = (part) => [...root.querySelectorAll(part)].map((item) => item.getBoundingClientRect());
          const [one, three] = edges(".segment").map(({ width }) => width);
          const wholes = edges(".segment");
          const [full, most, none] = edges(".fill").map(({ right }, index) => {
            return Math.max(right - wholes[index].left, 0) / wholes[index].width;
          });
          const isNear = (value, wanted) => Math.abs(value - wanted) < 0.02;
          return isNear(three / one, 3) && isNear(full, 1) && isNear(most, 0.71) && none === 0;
        }"""
    )
    assert component.locator(".segment").evaluate_all("items => items.map((item) => item.title)") == [
        "Load sources",
        "Render charts",
        "Write file",
    ]


def test_bar_of_an_unknown_total_has_no_value(stub: Stub, page: Page):
    stub.greeting = encode(percent=None, progress=0)
    stub.show(page, '<task-progress task-id="t"></task-progress>')
    expect(page.locator("task-progress")).to_have_attribute("data-state", "running")
    assert page.get_by_role("progressbar").get_attribute("aria-valuenow") is None


def test_bar_tells_its_value_and_text_to_those_who_hear_it(stub: Stub, page: Page):
    bar = show_one(stub, page, 'label="My file"').get_by_role("progressbar", name="My file")
    assert [bar.get_attribute(f"aria-value{name}") for name in ("min", "max", "now", "text")] == [
        "0",
        "100",
        "42",
        "42%, Importing rows",
    ]


def test_bar_grows_from_the_right_where_people_read_from_there(stub: Stub, page: Page):
    stub.show(page, make_component(), lang="ar", dir="rtl")
    edges = page.locator(".fill").evaluate(
        """(fill) => {
          const edges = [fill, fill.parentElement].map((item) => item.getBoundingClientRect());
          return edges.map(({ left, right }) => [left, right]);
        }"""
    )
    (fill_left, fill_right), (left, right) = edges
    assert left < fill_left < right < fill_right


def test_nothing_moves_for_those_who_asked_for_that(stub: Stub, page: Page):
    page.emulate_media(reduced_motion="reduce")
    show_one(stub, page, percent=None)
    assert page.evaluate("document.getAnimations({ subtree: true }).length") == 0
    assert page.locator(".icon").evaluate("icon => icon.getAnimations().length") == 0


# Events, properties, speech


def test_each_change_is_told_once_and_the_end_too(stub: Stub, page: Page):
    stub.greeting = encode() + encode() + encode(seq=8, progress=50)
    stub.show(page, '<task-progress task-id="t"></task-progress>')
    expect(page.locator(".percent")).to_have_text("50%")
    stub.streams[0].send(encode(seq=7) + encode(DONE) + encode(DONE) + encode({}, event="end"))
    expect(page.locator("task-progress")).to_have_attribute("data-state", "succeeded")
    assert get_events(page) == [
        ["change", "t", 7, None],
        ["change", "t", 8, None],
        ["change", "t", 99, None],
        ["end", "t", 99, "Import customers: Done"],
    ]


def test_state_that_the_page_was_made_with_is_no_news(stub: Stub, page: Page):
    component = show_one(stub, page, **DONE)
    assert component.evaluate("element => element.snapshot.seq") == 99
    assert get_events(page) == []


def test_snapshot_and_state_are_properties(stub: Stub, page: Page):
    component = show_one(stub, page, stalled=True)
    assert component.evaluate("element => [element.state, element.snapshot.progress]") == ["stalled", 42]


def test_task_that_is_not_known_says_so_and_fires_an_error(stub: Stub, own_page: Page):
    own_page.add_init_script("Math.random = () => 1000;")  # it asks again in minutes
    stub.greeting = encode({"task_id": "t"}, event="missing")
    stub.show(own_page, '<task-progress task-id="t"></task-progress>')
    expect(own_page.locator(".status")).to_have_text("Not found, or not for you to see")
    assert get_events(own_page) == [["error", "t", None, "Not found, or not for you to see"]]


def test_other_task_of_the_same_component_begins_afresh(stub: Stub, page: Page):
    component = show_one(stub, page, **DONE)
    component.evaluate("element => element.setAttribute('task-id', 'u')")
    expect(component).to_have_attribute("data-state", "connecting")
    stub.wait_for_stream().send(encode(task_id="u", seq=1))
    expect(component).to_have_attribute("data-state", "running")


def test_each_ten_percent_and_each_state_is_announced_once(stub: Stub, own_page: Page):
    own_page.add_init_script(
        """
        addEventListener("DOMContentLoaded", () => {
          window.said = [];
          customElements.whenDefined("task-progress").then(() => {
            const region = document.querySelector("task-progress").shadowRoot.querySelector("[role=status]");
            new MutationObserver(() => said.push(region.textContent)).observe(region, { childList: true });
          });
        });
        """
    )
    component = show_one(stub, own_page, 'label="File"', progress=38, percent=38)
    stream = stub.wait_for_stream()
    for seq, progress in enumerate((39, 41, 44, 49, 63, 64), start=8):
        stream.send(encode(seq=seq, progress=progress, percent=progress))
        expect(component.locator(".percent")).to_have_text(f"{progress}%")
    stream.send(encode(DONE))
    expect(component).to_have_attribute("data-state", "succeeded")
    assert own_page.evaluate("said") == ["File: 40%", "File: 60%", "File: Done"]


# Cancel


def test_cancel_asks_first_and_sends_the_token_of_the_cookie(stub: Stub, own_page: Page):
    own_page.context.add_cookies([{"name": "csrftoken", "value": "c" * 32, "url": stub.url}])
    component = show_one(stub, own_page, "cancel")
    component.get_by_role("button", name="Cancel").click()
    assert stub.find_requests("POST", "/tasks/t/cancel") == []
    component.get_by_role("button", name="Yes").click()
    expect(component.get_by_role("button", name="Cancelling…")).to_have_attribute("aria-disabled", "true")
    wait_until(lambda: stub.find_requests("POST", "/tasks/t/cancel"), "the server is asked")
    assert stub.find_requests("POST", "/tasks/t/cancel")[0]["X-CSRFToken"] == "c" * 32
    stub.streams[0].send(encode(seq=8, state="cancelled", **ENDED))
    expect(component.locator(".status")).to_have_text("Cancelled by you")


def test_cancel_carries_the_token_that_its_reader_was_given(stub: Stub, page: Page):
    cases = {
        'cancel token="view" cancel-token="control"': "Bearer control",
        'cancel token="given"': "Bearer given",
        'cancel token="of the page" token-age="900"': None,
        "cancel": None,
    }
    sent = {}
    for attributes, component in show_named(
        stub, page, {attributes: (attributes, {}) for attributes in cases}
    ).items():
        component.evaluate("element => element.requestCancel()")
        (headers,) = stub.find_requests("POST", f"/tasks/{component.get_attribute('task-id')}/cancel")
        sent[attributes] = headers.get("Authorization")
    assert sent == cases


def test_token_of_control_is_in_no_url(stub: Stub, own_page: Page):
    urls: list[str] = []
    own_page.on("request", lambda request: urls.append(request.url))
    show_one(stub, own_page, 'cancel cancel-token="control"').evaluate("element => element.requestCancel()")
    assert any(url.endswith("/tasks/t/cancel") for url in urls)
    assert not any("control" in url for url in urls)


@pytest.mark.parametrize(
    "head",
    ['<meta name="csrf-token" content="from the page">', '<input name="csrfmiddlewaretoken" value="from the page">'],
)
def test_token_may_stand_in_the_page(stub: Stub, page: Page, head):
    stub.show(page, head, make_component())
    page.locator("task-progress").evaluate("element => element.requestCancel()")
    assert stub.find_requests("POST", "/tasks/t/cancel")[0]["X-CSRFToken"] == "from the page"


def test_token_in_the_page_is_sent_where_that_of_the_cookie_is_refused(browser: Browser, stub: Stub):
    with open_tab(browser, expected_errors=("403",)) as page:
        page.context.add_cookies([{"name": "csrftoken", "value": "left over", "url": stub.url}])
        stub.refused_token = "left over"
        stub.show(page, '<input name="csrfmiddlewaretoken" value="from the page">', make_component("cancel"))
        page.locator("task-progress").evaluate("element => element.requestCancel()")
        sent = [headers["X-CSRFToken"] for headers in stub.find_requests("POST", "/tasks/t/cancel")]
        assert sent == ["left over", "from the page"]
        expect(page.get_by_role("button", name="Cancelling…")).to_be_visible()


def test_refused_cancel_says_why_and_can_be_tried_again(open_page: Page, stub: Stub):
    with use_again(open_page, expected_errors=("403",)) as page:
        stub.cancel_answer = (403, {"detail": "You may not cancel this task."})
        component = show_one(stub, page, "cancel")
        component.evaluate("element => element.requestCancel()")
        expect(component.locator(".problem")).to_have_text("You may not cancel this task.")
        expect(component.get_by_role("button", name="Cancel")).to_have_attribute("aria-disabled", "false")
        assert get_events(page)[-1] == ["error", "t", 7, "You may not cancel this task."]
        stub.wait_for_stream().send(encode(DONE))
        expect(component.locator(".problem")).to_be_hidden()


#: The page's clock for requests runs fifty times as fast.
FAST_TIMEOUTS = "AbortSignal.timeout = ((timeout) => (ms) => timeout.call(AbortSignal, ms / 50))(AbortSignal.timeout);"

LOG_IN = "You are logged out. Log in again, then try once more."

#: What may answer in place of the app, and what the component then says of it.
STRANGERS = {
    "a redirect to a login page": (lambda handler: handler.redirect("/login"), LOG_IN, ()),
    "a login page": (lambda handler: handler.reply(200, "text/html", b"<form>"), "The server answered 200.", ()),
    "a proxy whose server is away": (
        lambda handler: handler.reply(502, "text/html", b""),
        "The server answered 502.",
        ("502",),
    ),
    "a site without a session": (
        lambda handler: handler.reply(401, "application/problem+json", b"{}"),
        LOG_IN,
        ("401",),
    ),
    "a connection that breaks": (lambda handler: None, "The server can't be reached.", ("ERR_EMPTY_RESPONSE",)),
}


@pytest.mark.parametrize(("stranger", "said", "errors"), STRANGERS.values(), ids=STRANGERS)
def test_cancel_that_the_app_did_not_accept_is_not_shown_as_accepted(
    open_page: Page, stub: Stub, stranger, said, errors
):
    with use_again(open_page, expected_errors=errors) as page:
        stub.cancel_stranger = stranger
        component = show_one(stub, page, "cancel", status="Importing")
        component.evaluate("element => element.requestCancel()")
        expect(component.locator(".problem")).to_have_text(said)
        expect(component.get_by_role("button", name="Cancel")).to_have_attribute("aria-disabled", "false")


def test_status_of_the_task_stays_beside_the_problem_of_its_cancel(open_page: Page, stub: Stub):
    with use_again(open_page, expected_errors=("403",)) as page:
        stub.cancel_answer = (403, {"detail": "You may not cancel this task."})
        component = show_one(stub, page, "cancel", status="Importing")
        component.evaluate("element => element.requestCancel()")
        expect(component.locator(".problem")).to_be_visible()
        expect(component.locator(".status")).to_have_text("Importing")


def test_cancel_that_is_not_answered_says_so_in_the_end(stub: Stub, own_page: Page):
    own_page.add_init_script(FAST_TIMEOUTS)
    gate = threading.Event()
    stub.cancel_stranger = lambda handler: gate.wait(DEADLINE)
    component = show_one(stub, own_page, "cancel")
    component.evaluate("element => element.requestCancel()")
    expect(component.locator(".problem")).to_have_text("The server did not answer.")
    gate.set()


def test_escape_answers_no_and_leaves_the_dialog_around_it_open(stub: Stub, page: Page):
    stub.show(page, f"<dialog>{make_component('cancel')}</dialog>")
    page.evaluate("document.querySelector('dialog').showModal()")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="No").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    assert page.evaluate("document.querySelector('dialog').open")


# The attribute `cancel`, as frameworks set it


def test_button_is_shown_as_the_property_says(stub: Stub, page: Page):
    cases = {"true": (True, True), "empty": ("", True), "false": (False, False), "null": (None, False)}
    components = show_named(
        stub, page, {name: ("" if is_set else "cancel", {}) for name, (_, is_set) in cases.items()}
    )
    for name, (value, is_set) in cases.items():
        component = components[name]
        component.evaluate("(element, value) => { element.cancel = value; }", value)
        found = component.evaluate("element => [element.hasAttribute('cancel'), element.cancel]")
        assert (name, found) == (name, [is_set, is_set])
        expect(component.locator(".cancel")).to_be_visible(visible=is_set)


def test_property_that_was_set_before_the_element_was_defined_counts(stub: Stub, page: Page):
    stub.show(page, make_component(), "<script>document.querySelector('task-progress').cancel = true</script>")
    component = page.locator("task-progress")
    expect(component.locator(".cancel")).to_be_visible()


def test_keyboard_alone_cancels(stub: Stub, page: Page):
    component = show_one(stub, page, "cancel")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # "No" has the focus
    expect(component.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(component.get_by_role("button", name="Cancel")).to_be_focused()
    assert stub.find_requests("POST", "/tasks/t/cancel") == []
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    wait_until(lambda: stub.find_requests("POST", "/tasks/t/cancel"), "the server is asked")


def test_focus_stays_in_the_component_when_its_button_goes(stub: Stub, page: Page):
    component = show_one(stub, page, "cancel")
    component.get_by_role("button", name="Cancel").focus()
    stub.wait_for_stream().send(encode(DONE))
    expect(component).to_have_attribute("data-state", "succeeded")
    expect(component.locator(".card")).to_be_focused()


@pytest.mark.parametrize("attributes", ["", "cancel"])
def test_button_is_there_where_it_is_wanted_and_of_use(stub: Stub, page: Page, attributes):
    stub.show(page, make_component(attributes), make_component(attributes, **{**DONE, "task_id": "u"}))
    shown = page.locator("task-progress .cancel").evaluate_all("items => items.map((item) => item.checkVisibility())")
    assert shown == [attributes == "cancel", False]


# Log lines


def test_log_lines_come_once_however_often_the_stream_begins(stub: Stub, page: Page):
    component = show_one(stub, page, "logs")
    stream = stub.wait_for_stream()
    assert stream.query["logs"] == ["1"]
    stream.send(encode({"task_id": "t", "offset": 0, "lines": LINES[:2]}, event="log"))
    expect(component.locator(".line")).to_have_count(2)
    stream.close()
    stub.wait_for_stream(1).send(encode({"task_id": "t", "offset": 0, "lines": LINES}, event="log"))
    expect(component.locator(".line")).to_have_count(3)
    assert component.locator(".text").all_text_contents() == [line["text"] for line in LINES]
    assert component.locator(".line").nth(1).get_attribute("data-level") == "warning"


def test_log_lines_are_not_asked_for_unless_someone_shows_them(stub: Stub, page: Page):
    show_one(stub, page)
    assert "logs" not in stub.wait_for_stream().query


def test_log_keeps_200_lines_and_follows_unless_its_reader_went_up(stub: Stub, page: Page):
    component = show_one(stub, page, "logs")
    log = component.locator(".log")

    def send(offset: int, count: int) -> None:
        lines = [{**LINES[0], "text": f"line {number}"} for number in range(offset, offset + count)]
        stub.streams[0].send(encode({"task_id": "t", "offset": offset, "lines": lines}, event="log"))

    stub.wait_for_stream()
    send(0, 250)
    expect(component.locator(".line")).to_have_count(200)
    expect(component.locator(".text").last).to_have_text("line 249")
    assert log.evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight") < 2
    log.evaluate("log => (log.scrollTop = 40)")
    send(250, 1)
    expect(component.locator(".text").last).to_have_text("line 250")
    assert log.evaluate("log => log.scrollTop") < 60
    expect(component.locator(".line")).to_have_count(200)


# How it fits


def test_every_state_fits_a_phone_of_320_pixels(page: Page, stub: Stub):
    page.set_viewport_size({"width": 320, "height": 640})
    stub.show(page, *COMPONENTS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_rate_gives_way_where_step_count_and_time_left_would_not_fit(page: Page, stub: Stub):
    facts = {"current": 42310, "total": 100000, "unit": "rows", "rate": 13600.0, "eta": 4.4}
    page.set_viewport_size({"width": 540, "height": 640})
    meta = show_one(stub, page, stages=STAGES, **facts).locator(".meta")
    expect(meta.locator(".left")).to_be_visible()
    assert meta.evaluate("meta => meta.scrollWidth <= meta.clientWidth")


@pytest.mark.parametrize("width", [604, 320])
def test_card_is_as_high_at_the_end_as_it_was_before(page: Page, stub: Stub, width):
    page.set_viewport_size({"width": width, "height": 640})
    component = show_one(stub, page, "cancel", current=1, total=4, unit="rows", rate=3.0, eta=60.0)
    before = component.bounding_box()
    stub.wait_for_stream().send(encode(DONE, status="a long status " * 30, result={"url": "/x"}))
    expect(component).to_have_attribute("data-state", "succeeded")
    assert component.bounding_box() == before


@needs_axe
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_to_complain_about(page: Page, stub: Stub, scheme):
    page.emulate_media(color_scheme=scheme)
    stub.greeting = encode({"task_id": "stages", "offset": 0, "lines": LINES}, event="log")
    stub.show(page, *COMPONENTS)
    page.locator("task-progress").nth(4).get_by_role("button", name="Cancel").click()
    page.locator(".line").last.wait_for()
    assert find_violations(page) == []


def test_class_stays_small():
    assert (ROOT / "tasks_app/static/tasks_app/task-progress-element.js").stat().st_size < 12_000


def test_no_script_is_longer_than_300_lines():
    lengths = {name: len(text.splitlines()) for name, text in find_modules().items()}  # bundles are built of these
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_colours_are_the_same_in_each_style():
    static = ROOT / "tasks_app/static/tasks_app"
    colours: dict[str, set[str]] = {}
    for style in ("task-progress-style.js", "task-progress.css", "monitor/style.css"):
        text = (static / style).read_text()
        for name, colour in re.findall(r"var\(--task-progress-([a-z-]+), (light-dark\(.+?\))\)", text):
            colours.setdefault(name, set()).add(colour)
    assert {"background", "border", "text", "muted", "track", "accent", "danger"} < set(colours)
    assert {name: found for name, found in colours.items() if len(found) > 1} == {}
