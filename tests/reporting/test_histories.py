"""What a process learns of how long its tasks take, and what that costs it."""

from dataclasses import replace

import pytest

from tasks_app.reporting import histories
from tasks_app.snapshot.history import MAX_RUNS, History, Run
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.histories import find_histories, keep_histories
from tests.support.caches import CacheDown
from tests.support.doubles import begin, controlled_cache, read, recorded_cache


def run(flusher, time, seconds=60.0, task_id="t1"):
    """Run a task to its success."""
    reporter = begin(flusher, task_id)
    time.move(seconds)
    reporter.succeed()
    flusher.flush()


def remember(*durations):
    keep_histories({"demo": History(tuple(map(Run, durations)))})


def find_stored():
    return [item.seconds for item in find_histories(["demo"])["demo"].runs]


def count_durations(calls):
    """Return how often durations were read or written."""
    return sum(any("durations" in key for key in keys) for _, keys, _ in calls)


# --- what is stored ---


def test_duration_of_a_success_is_stored_at_the_next_sweep(flusher, time):
    run(flusher, time, 42.5)
    flusher.sweep()
    assert find_stored() == [42.5]


def test_duration_of_a_failure_is_not_stored(flusher, time):
    begin(flusher).fail_as("E", "x")
    flusher.flush()
    flusher.sweep()
    assert find_stored() == []


def test_durations_of_other_processes_are_kept(flusher, time):
    run(flusher, time, 3)
    remember(1, 2)
    flusher.sweep()
    assert find_stored() == [1, 2, 3]


def test_duration_is_that_of_the_attempt_that_succeeded(flusher, time):
    first = begin(flusher)
    time.move(500)
    first.hand_back()
    flusher.flush()
    second = flusher.make_reporter(first.snapshot)
    time.move(100)
    second.begin()
    flusher.add(second)
    time.move(7)
    second.succeed()
    flusher.flush()
    flusher.sweep()
    assert find_stored() == [7]


def test_busy_process_stores_the_first_runs_at_once_and_further_ones_once_a_minute(flusher, time):
    begin(flusher, "long")
    stored = []
    for number in range(5):
        run(flusher, time, 2, f"t{number}")
        flusher.sweep()
        stored.append(len(find_stored()))
    time.move(histories.MAX_AGE)
    flusher.sweep()
    assert [*stored, len(find_stored())] == [1, 2, 3, 3, 3, 5]


def test_idle_process_stores_all(flusher, time):
    remember(1, 2, 3)
    for _ in range(2):
        run(flusher, time, 1)
        flusher.sweep()
    assert len(find_stored()) == 5


def test_run_that_ends_while_others_are_stored_is_stored_later(flusher, time, monkeypatch):
    def keep(found):
        monkeypatch.undo()
        keep_histories(found)
        run(flusher, time, 2, "t2")

    run(flusher, time, 1)
    monkeypatch.setattr(histories, "keep_histories", keep)
    flusher.sweep()
    flusher.sweep()
    assert find_stored() == [1, 2]


def test_nothing_is_lost_by_a_cache_that_fails_for_a_while(flusher, time):
    with controlled_cache("set_many") as controls:
        begin(flusher, "long")
        flusher.backlog.histories.note(make_success(flusher, time))
        with pytest.raises(CacheDown):
            flusher.backlog.histories.sweep([], clock=flusher.clock)
        controls.repair()
        flusher.backlog.histories.sweep([], clock=flusher.clock)
        assert find_stored() == [5]


def make_success(flusher, time):
    begun = Snapshot.queued("t1", "demo", now=time.now).begun(now=time.now)
    time.move(5)
    return begun.succeeded(now=time.now)


def test_no_process_waits_at_its_end_for_durations_that_the_cache_refuses(flusher, time):
    flusher.backlog.histories.note(make_success(flusher, time))
    assert flusher.backlog.delays_exit
    with controlled_cache("get_many"), pytest.raises(CacheDown):
        flusher.backlog.histories.sweep([], clock=flusher.clock)
    assert not flusher.backlog.delays_exit


def test_process_waits_for_durations_once_the_cache_works_again(flusher, time):
    flusher.backlog.histories.note(make_success(flusher, time))
    with controlled_cache("get_many"), pytest.raises(CacheDown):
        flusher.backlog.histories.sweep([], clock=flusher.clock)
    flusher.backlog.histories.sweep([], clock=flusher.clock)
    flusher.backlog.histories.note(make_success(flusher, time))
    assert flusher.backlog.delays_exit


def test_what_waits_to_be_stored_is_bounded(flusher, time, monkeypatch):
    monkeypatch.setattr(histories, "MAX_TASKS", 3)
    for number in range(5):
        for _ in range(MAX_RUNS + 1):
            flusher.backlog.histories.note(replace(make_success(flusher, time), task=f"demo{number}"))
    flusher.sweep()
    found = find_histories([f"demo{number}" for number in range(5)])
    assert [len(item.runs) for item in found.values()] == [0, 0, MAX_RUNS, MAX_RUNS, MAX_RUNS]


# --- what tasks are told ---


def test_fourth_task_knows_at_its_beginning_what_three_took(flusher, time):
    for number in range(3):
        run(flusher, time, 60, f"t{number}")
        flusher.sweep()
    begin(flusher, "t4")
    flusher.flush()
    assert (read("t4").expected, read("t4").eta) == (60, 60)


def test_third_task_knows_nothing(flusher, time):
    for number in range(2):
        run(flusher, time, 60, f"t{number}")
        flusher.sweep()
    begin(flusher, "t3")
    flusher.flush()
    assert (read("t3").expected, read("t3").eta) == (None, None)


def test_task_that_lives_for_a_second_is_told_what_others_have_stored(flusher, time):
    remember(60, 60, 60)
    begin(flusher)
    time.move(1)
    flusher.sweep()
    flusher.flush()
    assert (read().expected, read().eta) == (60, 59)


def test_task_that_waits_here_is_told(flusher, time):
    remember(60, 60, 60)
    flusher.add(flusher.make_reporter(Snapshot.queued("t1", "demo", now=time.now)))
    time.move(1)
    flusher.sweep()
    flusher.flush()
    assert (read().state, read().expected, read().eta) == ("queued", 60, None)
    flusher.find("t1").end_lost()


def test_time_left_shrinks_with_each_report_of_a_task_without_total(flusher, time):
    remember(60, 60, 60)
    reporter = begin(flusher)
    time.move(1)
    flusher.sweep()
    time.move(20)
    reporter.progress.update(status="Still going")
    flusher.flush()
    assert read().eta == 39


def test_usual_time_follows_the_total_once_that_is_known(flusher, time):
    keep_histories({"demo": History((*(Run(1.0, 10),) * 5, *(Run(60.0, 600),) * 4))})
    reporter = begin(flusher)
    time.move(1)
    flusher.sweep()
    flusher.flush()
    before = read().expected
    reporter.progress.update(current=1, total=600)
    flusher.flush()
    assert (before, read().expected) == (1, 60)


def test_task_that_another_process_has_begun_again_is_not_told(flusher, time):
    remember(60, 60, 60)
    reporter = begin(flusher)
    reporter.hand_back()
    time.move(1)
    flusher.backlog.histories.sweep([reporter], clock=flusher.clock)
    assert reporter.snapshot.expected is None


# --- what it costs ---


def test_short_task_costs_no_round_trip_but_its_write(flusher, time):
    with recorded_cache() as calls:
        begin(flusher, "long")
        flusher.flush()
        flusher.sweep()
        calls.clear()
        begin(flusher).succeed()
        flusher.flush()
        assert [method for method, _, _ in calls] == ["set_many"]


def test_task_that_lives_for_less_than_a_second_costs_no_read(flusher, time):
    with recorded_cache() as calls:
        begin(flusher)
        time.move(0.9)
        flusher.sweep()
        assert count_durations(calls) == 0


def test_many_tasks_are_told_by_one_read_a_minute(flusher, time):
    with recorded_cache() as calls:
        for number in range(50):
            begin(flusher, f"t{number}")
        for _ in range(59):
            time.move(1)
            flusher.sweep()
        assert count_durations(calls) == 1


def test_fresh_task_costs_no_read_while_what_was_read_is_used(flusher, time):
    with recorded_cache() as calls:
        remember(60, 60, 60)
        begin(flusher)
        time.move(1)
        flusher.sweep()
        calls.clear()
        begin(flusher, "t2")
        time.move(1)
        flusher.sweep()
        assert count_durations(calls) == 0


def test_what_was_read_long_ago_is_read_again(flusher, time):
    begin(flusher)
    time.move(1)
    flusher.sweep()
    remember(60, 60, 60)
    time.move(histories.MAX_AGE)
    begin(flusher, "t2")
    time.move(1)
    flusher.sweep()
    flusher.flush()
    assert read("t2").expected == 60


def test_task_names_without_end_take_no_more_memory(flusher, time, monkeypatch):
    monkeypatch.setattr(histories, "MAX_TASKS", 3)
    known = flusher.backlog.histories
    for number in range(5):
        known.foretell(Snapshot.queued("t1", f"demo{number}", now=time.now), clock=flusher.clock)
    assert [known.find(f"demo{number}", monotonic=time.seconds) is None for number in range(5)] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_name_that_is_dropped_while_others_are_read_fails_no_sweep(flusher, time, monkeypatch, caplog):
    monkeypatch.setattr(histories, "MAX_TASKS", 1)
    known = flusher.backlog.histories

    def read_slowly(names):
        known.note(Snapshot.queued("t2", "other", now=time.now).begun(now=time.now).succeeded(None, now=time.now))
        return find_histories(names)

    monkeypatch.setattr(histories, "find_histories", read_slowly)
    run(flusher, time)
    flusher.sweep()
    assert "the cache failed" not in caplog.text


# --- what is told of a task before it is stored ---


def test_starter_tells_how_long_its_task_takes(flusher, time):
    remember(60, 60, 60)
    told = flusher.backlog.histories.foretell(Snapshot.queued("t1", "demo", now=time.now), clock=flusher.clock)
    assert (told.expected, told.eta, told.seq) == (60, None, 1)


@pytest.mark.parametrize(("durations", "reads"), [((60, 60, 60), 2), ((60, 60), 120)])
def test_starter_reads_once_a_minute_and_once_a_second_while_nothing_is_known(flusher, time, durations, reads):
    with recorded_cache() as calls:
        remember(*durations)
        calls.clear()
        for _ in range(240):
            flusher.backlog.histories.foretell(Snapshot.queued("t1", "demo", now=time.now), clock=flusher.clock)
            time.move(0.5)
        assert count_durations(calls) == reads


def test_starter_learns_at_once_of_the_third_success_of_another_process(flusher, time):
    remember(60, 60)
    queued = Snapshot.queued("t1", "demo", now=time.now)
    flusher.backlog.histories.foretell(queued, clock=flusher.clock)
    remember(60, 60, 60)
    time.move(1)
    assert flusher.backlog.histories.foretell(queued, clock=flusher.clock).expected == 60


def test_further_runs_change_nothing_that_is_known_until_it_is_read_again(flusher, time):
    """Else it would be reckoned for each of many short tasks."""
    remember(60, 60, 60)
    begin(flusher, "long")
    time.move(1)
    flusher.sweep()
    before = flusher.backlog.histories.find("demo", monotonic=time.seconds)
    run(flusher, time, 1)
    assert flusher.backlog.histories.find("demo", monotonic=time.seconds) is before
