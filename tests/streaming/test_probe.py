"""An observer learns from what it writes and reads back whether the silence of tasks means anything."""

import threading
from collections import Counter

import pytest

from tasks_app.exceptions import StoreUnavailable
from tasks_app.store.store import get_store
from tasks_app.streaming.probe import Probe
from tests.support.caches import CacheDown
from tests.support.waiting import DEADLINE, wait_until


def is_sound(probe: Probe, monotonic: float) -> bool:
    return probe.is_sound(monotonic=monotonic, interval=1, max_age=6)


def test_cache_that_takes_what_is_written_and_shows_it_is_sound():
    probe = Probe()
    assert [is_sound(probe, monotonic) for monotonic in range(100)] == [True] * 100


def test_cache_that_refuses_a_write_is_not_sound_until_it_takes_one(cache):
    probe = Probe()
    assert is_sound(probe, 0)
    cache.break_down("set_many")
    assert not is_sound(probe, 1)
    cache.repair()
    assert is_sound(probe, 2)


def test_cache_that_names_what_it_did_not_store_is_not_sound(monkeypatch):
    monkeypatch.setattr(get_store().cache, "set_many", lambda data, timeout: list(data))
    assert not is_sound(Probe(), 0)


def test_cache_that_drops_writes_without_a_word_is_not_sound(monkeypatch):
    """A database cache does so while its table can't be written."""
    probe = Probe()
    monkeypatch.setattr(get_store().cache, "set_many", lambda data, timeout: [])
    assert [is_sound(probe, monotonic) for monotonic in range(9)] == [True] * 7 + [False] * 2


def test_replica_that_lags_is_sound(monkeypatch):
    probe, cache = Probe(), get_store().cache
    monkeypatch.setattr(cache, "get_many", delay_by_one(cache.get_many))
    assert [is_sound(probe, monotonic) for monotonic in range(30)] == [True] * 30


def delay_by_one(read):
    """Return what answers each read with what the one before should have had."""
    answers = [{}]

    def read_late(keys):
        answers.append(read(keys))
        return answers.pop(0)

    return read_late


def test_write_that_hangs_makes_the_cache_unsound_and_nobody_waits(monkeypatch):
    gate, probe = threading.Event(), Probe()
    monkeypatch.setattr(get_store(), "is_local", False)
    monkeypatch.setattr(get_store().cache, "set_many", lambda data, timeout: gate.wait(DEADLINE) and [])
    try:
        assert [is_sound(probe, monotonic) for monotonic in range(9)] == [True] * 7 + [False] * 2
    finally:
        gate.set()


def test_many_calls_in_one_interval_are_one_exchange(cache):
    probe = Probe()
    for number in range(10):
        is_sound(probe, number / 10)
    reads = Counter(key for keys in cache.take_reads() for key in keys if key.startswith("tasks_app:probe:"))
    assert set(reads.values()) == {1}  # another observer of the process may have a key of its own


def test_failures_of_a_long_outage_are_logged_now_and_then(cache, caplog):
    probe = Probe()
    cache.break_down("set_many")
    for monotonic in range(16):
        is_sound(probe, monotonic)
    own = [record for record in caplog.records if record.thread == threading.get_ident()]  # not another observer's
    assert len(own) == 5  # the first, second, fourth, eighth and sixteenth


def test_proof_is_what_was_written_and_read_back():
    assert Probe().prove(monotonic=0, max_age=60)


def test_value_that_is_not_read_back_proves_nothing(monkeypatch):
    monkeypatch.setattr(get_store().cache, "get_many", lambda keys: {})
    assert not Probe().prove(monotonic=0, max_age=60)


def test_old_value_proves_nothing(monkeypatch):
    probe = Probe()
    probe.prove(monotonic=0, max_age=60)
    monkeypatch.setattr(get_store().cache, "set_many", lambda data, timeout: [])
    assert [probe.prove(monotonic=monotonic, max_age=60) for monotonic in (60, 61)] == [True, False]


def test_refused_value_raises(cache, monkeypatch):
    cache.break_down("set_many")
    with pytest.raises(CacheDown):
        Probe().prove(monotonic=0, max_age=60)
    cache.repair()
    monkeypatch.setattr(get_store().cache, "set_many", lambda data, timeout: list(data))
    with pytest.raises(StoreUnavailable, match="tasks_app:probe:"):
        Probe().prove(monotonic=0, max_age=60)


def test_exchange_in_another_thread_is_heard_of_at_a_later_call(monkeypatch):
    probe = Probe()
    monkeypatch.setattr(get_store(), "is_local", False)
    for monotonic in range(20):
        wait_until(lambda: probe._pending is None or probe._pending.done(), "the exchange ended")
        assert is_sound(probe, monotonic)
