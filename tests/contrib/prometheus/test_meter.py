"""What is counted of tasks, and by which labels."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from tasks_app.contrib.prometheus.instruments import Instruments
from tasks_app.contrib.prometheus.meter import PrometheusMeter
from tasks_app.contrib.prometheus.names import MAX_NAMES, OTHERS, Names
from tasks_app.metering.meter import get_meter, set_meter
from tasks_app.reporting.reporter import Reporter
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import State
from tests.support.caches import Controls
from tests.support.doubles import FakeTime, HandFlusher, begin
from tests.support.metrics import name_series


@pytest.fixture
def registry() -> Iterator[CollectorRegistry]:
    """The metrics of this process from here on."""
    before, registry = get_meter(), CollectorRegistry()
    set_meter(PrometheusMeter(Instruments(registry), Names()))
    yield registry
    set_meter(before)


def read(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"tasks_app_{name}", labels)


def make_queued(time: FakeTime, name: str = "demo") -> Snapshot:
    return Snapshot.queued("t1", name, now=time.now)


def test_end_is_counted_by_name_and_state_when_it_is_stored(registry, job: Reporter, flusher: HandFlusher):
    job.succeed("done")
    flusher.flush()
    assert read(registry, "tasks_ended_total", task="demo", state="succeeded") == 1


def test_end_is_counted_once(registry, job: Reporter, flusher: HandFlusher):
    job.succeed("done")
    for _ in range(2):
        flusher.flush()
    assert read(registry, "tasks_ended_total", task="demo", state="succeeded") == 1


def test_duration_is_that_of_the_attempt(registry, job: Reporter, flusher: HandFlusher, time: FakeTime):
    time.move(7)
    job.succeed("done")
    flusher.flush()
    assert read(registry, "task_seconds_sum", task="demo", state="succeeded") == 7


def test_lost_task_has_no_duration(registry, time: FakeTime):
    running = make_queued(time).begun(now=time.now)
    get_meter().note_ended(running.lost(now=time.now))
    assert read(registry, "task_seconds_count", task="demo", state="lost") is None


def test_waiting_time_counts_until_the_first_attempt(registry, flusher: HandFlusher, time: FakeTime):
    reporter = flusher.make_reporter(make_queued(time))
    time.move(3)
    reporter.begin()
    assert read(registry, "task_waiting_seconds_sum", task="demo") == 3


def test_waiting_on_purpose_is_no_waiting_time(registry, flusher: HandFlusher, time: FakeTime):
    snapshot = Snapshot.queued("t1", "demo", now=time.now, not_before=time.now + timedelta(seconds=60))
    reporter = flusher.make_reporter(snapshot)
    time.move(61)
    reporter.begin()
    assert read(registry, "task_waiting_seconds_sum", task="demo") == 1


def test_next_attempt_has_no_waiting_time(registry, time: FakeTime):
    first = make_queued(time).begun(now=time.now)
    get_meter().note_begun(first.requeued(now=time.now).begun(now=time.now))
    counts = (
        read(registry, "tasks_begun_total", task="demo"),
        read(registry, "task_waiting_seconds_count", task="demo"),
    )
    assert counts == (1, None)


def test_running_tasks_are_those_of_the_last_sweep(registry, job: Reporter, flusher: HandFlusher):
    flusher.sweep()
    running = read(registry, "tasks_running", task="demo")
    job.succeed("done")
    flusher.flush()
    flusher.sweep()
    assert (running, read(registry, "tasks_running", task="demo")) == (1, 0)


def test_heartbeats_that_could_not_be_written_are_missed(
    registry, cache: Controls, job: Reporter, flusher: HandFlusher, time: FakeTime
):
    flusher.flush()
    time.move(21)  # with one every 5 s, those after 5, 10 and 15 s; that after 20 s is written now
    flusher.flush()
    assert read(registry, "heartbeats_missed_total") == 3


def test_heartbeat_in_time_is_not_missed(registry, job: Reporter, flusher: HandFlusher, time: FakeTime):
    flusher.flush()
    time.move(6)
    flusher.flush()
    assert read(registry, "heartbeats_missed_total") == 0


def test_failing_cache_is_counted_by_its_method(registry, cache: Controls, job: Reporter, flusher: HandFlusher):
    cache.break_down("set_many")
    flusher.flush()
    assert read(registry, "store_failures_total", call="set_many") == 1


def test_write_is_timed_although_it_fails(registry, cache: Controls, job: Reporter, flusher: HandFlusher):
    cache.break_down("set_many")
    flusher.flush()
    assert read(registry, "flush_seconds_count") == 1


def test_names_that_a_site_makes_up_are_counted_together_beyond_a_limit(registry, time: FakeTime):
    for number in range(MAX_NAMES + 5):
        get_meter().note_begun(make_queued(time, f"import {number}").begun(now=time.now))
    names = {
        sample.labels["task"]
        for family in registry.collect()
        for sample in family.samples
        if sample.labels.get("task")
    }
    assert (len(names), read(registry, "tasks_begun_total", task=OTHERS)) == (MAX_NAMES + 1, 5)


def test_labels_are_names_of_tasks_states_and_methods_alone(registry, flusher: HandFlusher):
    reporter = begin(flusher)
    reporter.fail(ValueError("secret"))
    flusher.flush()
    flusher.sweep()
    get_meter().note_store_failure("get")
    labels = {
        (name, value)
        for family in registry.collect()
        for sample in family.samples
        for name, value in sample.labels.items()
        if name != "le"
    }
    states = {("state", state.value) for state in State}
    assert labels - states == {("task", "demo"), ("call", "get")}


def test_metric_that_fails_ends_no_job(registry, job: Reporter, flusher: HandFlusher, monkeypatch, caplog):
    def fill_disk(*args: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("prometheus_client.Counter.labels", fill_disk)
    job.succeed("done")
    assert flusher.flush()
    assert "a metric could not be counted" in caplog.text


def test_series_are_named_as_prometheus_shows_them():
    assert name_series("a", {"x": "1"}) == 'a{x="1"}'
