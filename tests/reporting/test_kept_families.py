"""The children of parents that this process keeps, as many as it may."""

import pytest

from tasks_app.reporting import kept_families
from tasks_app.reporting.kept_families import KeptFamilies
from tasks_app.store.families import set_children
from tests.support.viewers import make_running, put

CHILDREN = {"a": 1.0, "b": 1.0}


def see_to(task_id: str) -> None:
    """Do nothing."""


@pytest.fixture
def families() -> KeptFamilies:
    families = KeptFamilies()
    for task_id in ("p", "q"):
        put(make_running(task_id))
        families.keep(task_id, CHILDREN, see_to=see_to, monotonic=0)
    return families


def test_children_that_the_cache_has_are_not_lost(families):
    set_children("p", CHILDREN)
    assert list(families.find_lost(monotonic=5)) == ["q"]


def test_they_are_looked_for_every_heartbeat(families):
    assert [len(families.find_lost(monotonic=time)) for time in (4, 5, 9, 10)] == [0, 2, 0, 2]


def test_children_are_lost_if_fewer_are_stored_than_before(families):
    families.forget("q")
    set_children("p", {**CHILDREN, "c": 1.0, "d": 1.0})
    families.find_lost(monotonic=5)
    set_children("p", {"c": 1.0, "d": 1.0})  # another process was faster
    assert list(families.find_lost(monotonic=10)) == ["p"]


def test_children_of_a_parent_that_is_gone_for_retention_are_forgotten(families, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "RETENTION": 60}
    families.keep("gone", CHILDREN, see_to=see_to, monotonic=0)
    families.forget("p")
    families.forget("q")
    families.find_lost(monotonic=60)
    assert families
    families.find_lost(monotonic=66)
    assert not families


@pytest.mark.parametrize(("limit", "number"), [("MAX_KEPT", 3), ("RECENT_TASKS", 1)])
def test_the_oldest_are_forgotten_above_a_limit(limit, number, families, monkeypatch):
    monkeypatch.setattr(kept_families, limit, number)
    families.keep("q", CHILDREN, see_to=see_to, monotonic=0)
    assert list(families.find_lost(monotonic=5)) == ["q"]
