"""What a hub tells of its sweeps."""

from collections.abc import Iterator

import pytest

from tasks_app.metering.meter import NoMeter, get_meter, set_meter
from tasks_app.streaming.measures import Round


class Listener(NoMeter):
    """A meter that keeps what it is told."""

    def __init__(self) -> None:
        self.found: list[int] = []
        self.streams: list[int] = []

    def note_sweep(self, seconds: float, found: int) -> None:
        self.found.append(found)

    def note_streams(self, number: int) -> None:
        self.streams.append(number)


@pytest.fixture
def listener() -> Iterator[Listener]:
    before, listener = get_meter(), Listener()
    set_meter(listener)
    yield listener
    set_meter(before)


def test_change_of_which_something_told_was_not_found_by_the_sweep(listener: Listener):
    sweep = Round({"told"})
    sweep.note_news("told")
    sweep.note_news("untold")
    sweep.tell_sweep(3)
    assert (listener.found, listener.streams) == ([1], [3])
