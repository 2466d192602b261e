"""Which tasks of a line are told their positions."""

import pytest

from tasks_app.lifecycle.positions import EXACT, IN_TURN, Positions


def make_line(length: int) -> list[str]:
    """Return the ids of so many tasks that wait."""
    return [f"t{number}" for number in range(1, length + 1)]


@pytest.mark.parametrize("length", [0, 1, EXACT, EXACT + IN_TURN])
def test_each_task_of_a_short_line_is_told_its_position(length):
    assert list(Positions().choose(make_line(length))) == [(number, f"t{number}") for number in range(1, length + 1)]


def test_few_tasks_of_a_long_line_are_told_their_positions_at_a_time():
    assert len(list(Positions().choose(make_line(5000)))) == EXACT + IN_TURN


def test_tasks_of_a_long_line_are_told_their_positions_in_turns():
    line, positions = make_line(5000), Positions()
    told = {task_id for _ in range(5000 // IN_TURN) for _, task_id in positions.choose(line)}
    assert told == set(line)


def test_head_of_a_long_line_is_told_its_positions_each_time():
    line, positions = make_line(5000), Positions()
    for _ in range(3):
        assert list(positions.choose(line))[:EXACT] == list(enumerate(line[:EXACT], start=1))
