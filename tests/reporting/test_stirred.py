"""Which reporters a write looks at."""

from collections.abc import Callable, Iterable, ValuesView

import pytest

from tasks_app.reporting.reporter import Reporter
from tasks_app.reporting.stirred import Stirred
from tests.support.doubles import begin

DAY = 86_400


class Reporters(dict[str, Reporter]):
    """Reporters by task id, of which a list can be interrupted once."""

    interrupt: Callable[[], None] | None = None

    def values(self) -> ValuesView[Reporter]:
        found = super().copy().values()
        if self.interrupt is not None:
            interrupt, self.interrupt = self.interrupt, None
            interrupt()
        return found


def test_reporter_that_is_added_while_all_are_looked_at_is_asked_for_heartbeats(flusher):
    reporters = Reporters()
    stirred = Stirred(reporters)
    stirred.add_new(begin(flusher, "t0"))  # it has ended meanwhile
    reporter = begin(flusher, "t1")

    def add() -> None:
        reporters["t1"] = reporter
        stirred.add_new(reporter)

    reporters.interrupt = add
    monotonic = reporter.next_beat
    assert stirred.take(monotonic=monotonic) == []
    assert stirred.take(monotonic=monotonic) == [reporter]  # it is new
    assert stirred.take(monotonic=monotonic + DAY) == [reporter]


class TimeLimit(Exception):
    """What a time limit raises in the thread of a job, at any point."""


def test_time_limit_that_strikes_while_changes_are_gathered_leaves_writes_possible(flusher, monkeypatch):
    def strike(self: Stirred, *, monotonic: float) -> None:
        raise TimeLimit

    begin(flusher)
    with monkeypatch.context() as patched:
        patched.setattr(Stirred, "take", strike)
        with pytest.raises(TimeLimit):
            flusher.flush()
    assert flusher.flush(waits=False)


def test_change_that_was_taken_when_a_time_limit_struck_is_taken_again(flusher, monkeypatch):
    reporter = begin(flusher)
    stirred = Stirred({"t1": reporter})
    stirred.add_new(reporter)

    def strike(self: Stirred, task_ids: Iterable[str]) -> None:
        list(task_ids)
        raise TimeLimit

    with monkeypatch.context() as patched:
        patched.setattr(Stirred, "_find", strike)
        with pytest.raises(TimeLimit):
            stirred.take(monotonic=0)
    assert stirred.take(monotonic=0) == [reporter]
