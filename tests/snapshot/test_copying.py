"""Changed copies of frozen dataclasses."""

import dataclasses

import pytest

from tasks_app.snapshot.copying import replace
from tests.support.viewers import make_running


def test_copy_is_what_dataclasses_would_make():
    changes = {"seq": 7, "owner": "3", "meta": {"rows": 3}}
    assert replace(make_running(), **changes) == dataclasses.replace(make_running(), **changes)


def test_copy_without_changes_is_equal_and_another():
    snapshot = make_running()
    assert replace(snapshot) == snapshot
    assert replace(snapshot) is not snapshot


def test_original_stays_as_it_is():
    snapshot = make_running()
    replace(snapshot, seq=snapshot.seq + 1)
    assert snapshot == make_running()


def test_copy_can_not_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        replace(make_running()).seq = 7


def test_change_of_what_is_no_field_is_refused():
    with pytest.raises(TypeError, match=r"Snapshot has no fields \['sequence'\]; it has \['allows_failures', "):
        replace(make_running(), sequence=7)
