"""The tasks in Celery's signatures."""

from typing import Any

import pytest

from tasks_app.contrib.celery.signatures import FoundCanvas, find_bodies, find_tasks, link, name_canvas, name_task
from tests.support.signatures import make, make_chain, make_chord, make_group


def test_tasks_of_all_signatures_are_found_with_callbacks():
    signatures = [make_chord([make("a", link=[make("b")])], make("c")), None, [make("d", chain=[make("e")])]]
    assert [task.id for task in find_tasks(signatures)] == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("name", "kwargs", "expected"),
    [
        ("celery.starmap", {"task": {"task": "add"}, "it": []}, "add"),
        ("celery.map", {}, "celery.map"),
        ("add", {"task": {"task": "fail"}}, "add"),
    ],
)
def test_map_has_the_name_of_the_task_that_it_calls(name: str, kwargs: dict[str, Any], expected: str):
    assert name_task(name, kwargs) == expected


def is_tracked(name: str, task_id: str) -> bool:
    return name != "internal"


def read(part: Any) -> Any:
    """Return the id of what was found and, of a canvas, its parts."""
    return (part.id, [read(item) for item in part.parts]) if isinstance(part, FoundCanvas) else part.id


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        (make("a"), "a"),
        (make_chain(make("a"), make("b")), ("a-chain", ["a", "b"])),
        (make_group("g", make("a"), make("b")), ("g", ["a", "b"])),
        (make_chord([make("a")], make("b")), ("a-chord", ["a", "b"])),
        (
            make_chord(make_group("g", make("a")), make_chain(make("b"), make("c"))),
            ("a-chord", ["a", ("b-chain", ["b", "c"])]),
        ),
        (make_group("g", make("a", "internal"), make("b")), ("g", ["b"])),
        (make("a", "internal"), None),
        (make_group("g"), None),
    ],
)
def test_tasks_are_linked_to_the_canvas_that_they_are_parts_of(signature: dict[str, Any], expected: Any):
    part = link(signature, "above", is_tracked)
    assert (part and read(part)) == expected
    parents = {task.id: task.parent for task in find_tasks([signature]) if task.name != "internal"}
    assert parents == find_parents(expected, "above")


def find_parents(expected: Any, above: str) -> dict[str, str]:
    """Return the id of each task's parent, by what `read` returns."""
    if not isinstance(expected, tuple):
        return {expected: above} if expected else {}
    name, parts = expected
    return {task: parent for part in parts for task, parent in find_parents(part, name).items()}


def test_link_keeps_the_label_and_other_headers_of_a_task():
    signature = make("a", headers={"tasks_app": {"label": "Read"}, "mine": 1})
    link(signature, "above", is_tracked)
    assert signature["options"]["headers"] == {"tasks_app": {"label": "Read", "parent": "above"}, "mine": 1}


@pytest.mark.parametrize(
    "embedded",
    [
        {"chord": make("body", chord=make("outer"))},
        {"chain": [make("last", chord=make("body", chord=make("outer")))], "chord": None},
        {"chain": [make_chord([make("a")], make("b", chord=make("body", chord=make("outer"))))]},
        {"chord": make("body", chain=[make("after", chord=make("outer"))])},
    ],
    ids=["member", "chain", "chain-that-ends-in-a-chord", "chord-in-a-chain"],
)
def test_callbacks_of_a_member_are_found_from_the_innermost_chord_to_the_outermost(embedded: dict[str, Any]):
    assert [body["options"]["task_id"] for body in find_bodies(embedded)] == ["body", "outer"]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ([make("1", "a"), make_chain(make("2", "b"), make("3", "a"))], "group of a, b"),
        ([make(name, name) for name in "abcd"], "group of a, b, c, …"),
        ([], "group"),
    ],
)
def test_canvas_is_named_by_its_tasks(parts: list[Any], name: str):
    assert name_canvas("group", parts) == name
