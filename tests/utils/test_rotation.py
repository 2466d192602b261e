"""Taking a part of many at a time."""

import pytest

from tasks_app.utils.rotation import Rotation


def test_each_item_has_its_turn():
    rotation = Rotation()
    assert [rotation.take("abcde", 2) for _ in range(4)] == ["de", "bc", "a", "de"]


def test_turn_that_would_be_beyond_fewer_items_begins_with_the_last():
    rotation = Rotation()
    rotation.take("abcde", 1)
    assert rotation.take("abc", 2) == "bc"


def test_nothing_is_taken_of_nothing():
    assert Rotation().take("", 2) == ""


@pytest.mark.parametrize("leaving", [1, 7, 50, 99])
def test_none_is_left_out_of_a_line_that_moves_forward(leaving):
    rotation, line, taken = Rotation(), list(range(1000)), set()
    for _ in range(10):
        taken |= set(rotation.take(line, 100))
        line = line[leaving:]
    assert taken >= set(line)
