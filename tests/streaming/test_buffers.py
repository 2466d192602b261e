"""The budget for readers that are behind: who is cut, and that others are left alone."""

import pytest

from tasks_app.streaming.buffers import Buffers


class Reader:
    """A reader that is behind by so many bytes."""

    def __init__(self, unsent: int) -> None:
        self.unsent = unsent
        self.is_cut = False
        self.counted = 0

    def count_unsent(self) -> int:
        self.counted += 1
        return self.unsent

    def drop(self) -> None:
        self.is_cut = True


@pytest.fixture
def monotonic(monkeypatch) -> list[float]:
    """The time, which stands still."""
    now = [1000.0]
    monkeypatch.setattr("tasks_app.streaming.buffers.time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def buffers(settings, monotonic) -> Buffers:
    settings.TASKS_APP = {**settings.TASKS_APP, "MAX_BUFFERED_BYTES": 1000}
    return Buffers()


def add(buffers: Buffers, *sizes: int) -> list[Reader]:
    readers = [Reader(size) for size in sizes]
    for reader in readers:
        buffers.add(reader, reader.unsent)
    return readers


def test_nobody_is_cut_while_the_budget_lasts(buffers):
    readers = add(buffers, *[100] * 10)
    buffers.count()
    assert not any(reader.is_cut for reader in readers)


def test_those_for_whom_the_most_waited_for_the_longest_are_cut_first(buffers, monotonic):
    old, large = add(buffers, 300, 500)
    monotonic[0] += 10
    (new,) = add(buffers, 150)
    monotonic[0] += 1
    new.unsent = 201
    buffers.grow(51)
    assert (old.is_cut, large.is_cut, new.is_cut) == (False, True, False)


def test_a_part_of_the_budget_is_free_afterwards(buffers, monotonic):
    readers = add(buffers, *[100] * 10)
    monotonic[0] += 1
    readers += add(buffers, 100)
    assert sum(reader.unsent for reader in readers if not reader.is_cut) <= 750
    assert sum(reader.is_cut for reader in readers) == 4
    assert not readers[-1].is_cut


def test_one_that_has_caught_up_is_not_counted(buffers):
    first, second = add(buffers, 600, 300)
    buffers.discard(first)
    (third,) = add(buffers, 600)
    assert not any(reader.is_cut for reader in (first, second, third))


def test_what_was_read_meanwhile_is_not_counted(buffers):
    first, second = add(buffers, 600, 300)
    first.unsent = 100
    buffers.grow(300)
    assert not any(reader.is_cut for reader in (first, second))


def test_frames_of_readers_that_are_nearly_too_much_are_not_counted_each_time(buffers):
    readers = add(buffers, *[50] * 19)
    before = readers[0].counted
    for _ in range(100):
        buffers.grow(1)
    assert readers[0].counted - before <= 2


def test_cut_is_logged_once_for_all(buffers, monotonic, caplog):
    add(buffers, *[100] * 10)
    monotonic[0] += 1
    add(buffers, 100)
    (record,) = caplog.records
    assert record.getMessage() == "4 streams were cut: the slowest, since more than 1000 bytes waited for readers"


def test_little_that_has_waited_for_long_goes_before_much_that_came_just_now(buffers, monotonic):
    (old,) = add(buffers, 300)
    monotonic[0] += 10
    (large,) = add(buffers, 500)
    monotonic[0] += 1
    add(buffers, 250)
    assert (old.is_cut, large.is_cut) == (True, False)


def test_one_that_is_told_of_again_has_waited_since_the_first_time(buffers, monotonic):
    (old,) = add(buffers, 300)
    monotonic[0] += 10
    (large,) = add(buffers, 500)
    buffers.add(old, 300)
    monotonic[0] += 1
    add(buffers, 250)
    assert (old.is_cut, large.is_cut) == (True, False)


def test_what_was_counted_once_is_not_counted_with_each_further_frame(buffers):
    reader, *_ = add(buffers, *[100] * 4)
    for _ in range(700):  # frames that are read at once
        buffers.grow(1)
    before = reader.counted
    for _ in range(500):
        buffers.grow(1)
    assert reader.counted - before <= 1
