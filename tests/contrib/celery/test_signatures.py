"""The tasks in Celery's signatures."""

from typing import Any

import pytest

from tasks_app.contrib.celery.signatures import find_tasks, name_task
from tests.support.signatures import make, make_chord


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
