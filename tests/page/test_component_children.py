"""What the component shows of a parent: the counts of its children, their segments, and the list of some of them."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import SCHEMES, find_violations, needs_axe, needs_chromium, open_tab
from tests.support.gallery import CHILDREN
from tests.support.stub import DONE, RUNNING, Stub, count_children, encode, make_component, run_stub

pytestmark = needs_chromium

PARENT = {"status": "Running", "seq": 1, "children": count_children(succeeded=26, failed=1, running=2, queued=11)}
FEW = count_children(succeeded=2, failed=1, running=2, queued=3)
ENDED = {"finished_at": "2026-03-01T09:42:04.000Z"}
FIRST, SECOND, FAILED = CHILDREN


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with open_tab(browser, reduced_motion="reduce") as page:
        yield page


@pytest.fixture
def stub() -> Iterator[Stub]:
    with run_stub() as running:
        running.children["t"] = list(CHILDREN)
        running.greeting = encode({**RUNNING, **PARENT})
        yield running


def make_parent(task_id: str, attributes: str = "", /, **changes: Any) -> str:
    """Return the markup of a component that knows PARENT, with changes."""
    return make_component(attributes, **{**PARENT, **changes, "task_id": task_id})


def show_list(stub: Stub, page: Page, attributes: str = "children", **changes: Any) -> Locator:
    """Show a component with the list of its children."""
    stub.show(page, make_parent("t", attributes, **changes))
    component = page.locator("task-progress")
    expect(component.locator(".child")).to_have_count(3)
    return component


def find_states(component: Locator) -> list[str | None]:
    return component.locator(".segment").evaluate_all("items => items.map((item) => item.getAttribute('data-child'))")


def test_counts_are_said_in_words_and_in_segments_while_these_can_be_counted(stub: Stub, page: Page):
    failure = "7 of 10 done, 2 failed, 1 cancelled"
    failed = {**ENDED, "state": "failed", "status": failure, "error": {"type": "Exception", "message": failure}}
    sent = {**ENDED, "state": "failed", "status": "The broker is away"}
    stub.show(
        page,
        make_parent("many"),
        make_parent("few", children=FEW, status="2 of 8 done, 1 failed"),
        make_parent("twelve", children=count_children(queued=12), state="queued", status="Queued", percent=None),
        make_parent("thirteen", children=count_children(queued=13)),
        make_parent("one", children=count_children(running=1), percent=None),
        make_parent("failed", **failed, children=count_children(succeeded=7, failed=2, cancelled=1)),
        make_parent("sent", **sent, children=count_children(cancelled=20)),
        make_parent("succeeded", **{**DONE, "children": count_children(succeeded=38, failed=2)}),
        make_parent("lost", **ENDED, state="lost", status="0 of 1 done, 1 lost", children=count_children(lost=1)),
        make_parent("alone", children=None),
    )
    components = page.locator("task-progress")
    said = [[each.locator(f".{part}").text_content() for part in ("status", "meta")] for each in components.all()]
    assert said == [
        ["Running", "26 of 40 · 1 failed"],
        ["Running", "2 of 8 · 1 failed"],
        ["Queued", "0 of 12"],
        ["Running", "0 of 13"],
        ["Running", "0 of 1"],
        ["Failed", "7 of 10 · 2 failed · 1 cancelled"],
        ["Failed: The broker is away", "0 of 20 · 20 cancelled"],
        ["Done", "38 of 40 · 2 failed"],
        ["Lost: the worker stopped responding", "0 of 1 · 1 lost"],
        ["Running", ""],
    ]
    few = ["succeeded"] * 2 + ["failed"] + ["running"] * 2 + ["queued"] * 3
    segments = {each.get_attribute("task-id"): find_states(each) for each in components.all()}
    plain = {name: [None] for name in ("many", "thirteen", "one", "sent", "succeeded", "lost", "alone")}
    ended = ["succeeded"] * 7 + ["failed"] * 2 + ["cancelled"]
    assert segments == {**plain, "few": few, "twelve": ["queued"] * 12, "failed": ended}
    bar = components.nth(1).get_by_role("progressbar")
    assert bar.get_attribute("aria-valuetext") == "42%, Running, 2 of 8, 1 failed"
    assert components.nth(1).locator(".spoken").text_content() == "Import customers: 40%, 1 failed"
    assert page.locator(".family").count() == 0


def test_list_is_live_on_the_connection_of_the_page(stub: Stub, page: Page):
    page.clock.install()
    component = show_list(stub, page)
    assert stub.wait_for_stream().query["task"] == ["t"]  # short children are never followed
    page.clock.run_for(2500)
    stream = stub.wait_for_stream(1)
    assert stream.query["task"] == ["t", "photo-26", "photo-27"]
    stream.send(encode({**FIRST, "seq": 8, "progress": 90, "percent": 90.0}))
    expect(component.locator(".child-percent").first).to_have_text("90%")
    assert component.locator(".spoken").text_content() == "Import customers: 40%, 1 failed"  # and nothing of children


def test_list_is_fetched_again_when_the_counts_change_and_keeps_its_height(stub: Stub, page: Page):
    page.clock.install()
    component = show_list(stub, page)
    asked = sorted((query["state"][0], query["limit"][0]) for query in stub.children_queries)
    assert asked == [("failed,lost", "10"), ("running", "10")]
    page.clock.run_for(2500)
    stream = stub.wait_for_stream(1)
    count = len(stub.children_queries)
    page.clock.run_for(5000)
    assert len(stub.children_queries) == count
    stub.children["t"] = [SECOND, FAILED]
    stream.send(encode({**RUNNING, **PARENT, "seq": 9, "children": count_children(succeeded=27, running=1, failed=1)}))
    expect(component.locator(".meta")).to_have_text("27 of 29 · 1 failed")
    expect(component.locator(".child-name")).to_have_text(["27.jpg", str(FAILED["label"])])
    assert component.locator(".child-list").evaluate("list => list.style.getPropertyValue('--rows')") == "3"


def test_closed_list_follows_nobody(stub: Stub, page: Page):
    page.clock.install()
    component = show_list(stub, page)
    page.clock.run_for(2500)
    stub.wait_for_stream(1).send(encode({**RUNNING, **PARENT, "seq": 8}))
    component.get_by_role("button", name="Running and failed tasks").click()
    expect(component.locator(".child-list")).to_be_hidden()
    page.clock.run_for(100)
    assert stub.wait_for_stream(2).query["task"] == ["t"]


def test_list_says_how_many_it_leaves_out_and_what_it_lacks(stub: Stub, page: Page):
    stub.children |= {"closed": [FIRST], "none": []}
    stub.show(
        page,
        make_parent("t", "children", children=count_children(running=9, failed=4)),
        make_parent("closed", 'children="closed"'),
        make_parent("none", "children", children=count_children(queued=3)),
        make_parent("lone", "children", children=None),
    )
    many, closed, none, lone = page.locator("task-progress").all()
    expect(many.locator(".more")).to_have_text("10 more")
    expect(none.locator(".child-list")).to_have_attribute("data-empty", "None runs, and none has failed")
    expect(closed.get_by_role("button")).to_have_attribute("aria-expanded", "false")
    assert closed.locator(".child").count() == lone.locator(".family").count() == 0
    closed.get_by_role("button").click()
    expect(closed.locator(".child-name")).to_have_text(["26.jpg"])


def test_token_of_the_parent_opens_its_children(stub: Stub, page: Page):
    page.clock.install()
    show_list(stub, page, 'children token="parent"')
    asked = stub.find_requests("GET", "/tasks/t/children")
    assert [headers.get("Authorization") for headers in asked] == ["Bearer parent"] * 2
    page.clock.run_for(2500)
    query = stub.wait_for_stream(1).query
    assert (query["task"], query["token"]) == (["t", "photo-26", "photo-27"], ["parent"])


def test_children_take_no_stream_from_the_components_of_a_full_page(stub: Stub, page: Page):
    page.clock.install()
    others = [make_component("compact", task_id=f"other-{number}") for number in range(60)]
    stub.show(page, make_parent("t", "children"), *others)
    names = page.locator("task-progress").first.locator(".child-name")
    expect(names).to_have_count(3)
    stub.children["t"] = [SECOND, FAILED]
    page.clock.run_for(2500)  # what can't be followed is fetched again
    expect(names).to_have_count(2)
    assert len(stub.streams) == 1


@needs_axe
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_to_complain_about(browser: Browser, stub: Stub, scheme):
    with open_tab(browser, color_scheme=scheme, viewport={"width": 320, "height": 640}) as page:
        stub.show(page, make_parent("t", "children"), make_parent("few", children=FEW))
        expect(page.locator(".child")).to_have_count(3)
        assert find_violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
