"""The signs of life of parents that are being sent."""

import threading
from datetime import timedelta

import pytest

from tasks_app import StoreUnavailable
from tasks_app.reporting.sent_parents import SentParents
from tasks_app.snapshot.family import BATCH, Part, as_lost, compose, expect_children
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import State
from tasks_app.store.remainders import claim_sum
from tasks_app.store.store import get_store
from tests.support.caches import HANGING_CACHES, gate
from tests.support.viewers import NOW
from tests.support.waiting import DEADLINE, wait_until

OWN = expect_children(Snapshot.queued("p", "batch", now=NOW, runner=BATCH), 1, now=NOW).beating()


@pytest.fixture
def sent() -> SentParents:
    sent = SentParents()
    get_store().add(OWN)
    sent.add(OWN, monotonic=0)
    return sent


def read() -> Snapshot:
    stored = get_store().get("p")
    assert stored is not None
    return stored


def test_sign_of_life_is_written_every_heartbeat(sent):
    beats = []
    for seconds in (4, 5, 9, 10):
        sent.beat(monotonic=seconds, now=NOW + timedelta(seconds=seconds))
        beats.append(read().beat)
    assert beats == [1, 2, 2, 3]
    assert read().written_at == NOW + timedelta(seconds=10)


def test_no_sign_of_life_is_written_of_a_parent_that_was_sent(sent):
    assert not sent.remove("p", monotonic=3)
    sent.beat(monotonic=10, now=NOW)
    assert (read().beat, bool(sent)) == (1, False)


def test_parent_is_written_again_that_the_cache_has_lost(sent):
    get_store().cache.clear()
    sent.beat(monotonic=5, now=NOW)
    assert read().task_id == "p"


def test_parent_that_the_cache_refuses_is_written_at_the_next_sweep(sent, cache):
    cache.refused = "task:p"
    with pytest.raises(StoreUnavailable):
        sent.beat(monotonic=5, now=NOW)
    cache.repair()
    sent.beat(monotonic=6, now=NOW)
    assert read().beat is not None


def test_parent_that_was_declared_lost_meanwhile_is_taken_back(sent, caplog):
    lost = as_lost(read(), now=NOW)
    get_store().save([lost])
    sent.beat(monotonic=60, now=NOW)
    assert (read().state, read().seq > lost.seq) == ("queued", True)
    assert "task p was declared lost while this process sends its children" in caplog.text
    assert sent.remove("p", monotonic=61)


def test_parent_that_is_taken_back_may_end_once_more(sent):
    ended = compose(as_lost(read(), now=NOW), [(1, Part(State.SUCCEEDED, 100, 1, NOW))])
    assert [claim_sum(ended), claim_sum(ended)] == [True, False]
    get_store().save([ended])
    sent.beat(monotonic=60, now=NOW)
    assert claim_sum(ended)


def test_parent_that_could_not_be_written_in_time_may_have_been_declared_lost(sent):
    assert [sent.remove("p", monotonic=seconds) for seconds in (16, 16)] == [True, False]


def test_parent_is_removed_once_no_write_of_it_is_under_way(settings):
    settings.CACHES = HANGING_CACHES
    sent, done = SentParents(), threading.Event()
    sent.add(OWN, monotonic=0)
    gate.shut("set_many", "set")
    writing = threading.Thread(target=sent.beat, kwargs={"monotonic": 5, "now": NOW})
    removing = threading.Thread(target=lambda: (sent.remove("p", monotonic=5), done.set()))
    writing.start()
    wait_until(lambda: gate.waiting, "it writes")
    removing.start()
    assert not done.wait(0.1)
    gate.open()
    assert done.wait(DEADLINE)
    writing.join()
