"""Claims of attempts, also where the cache does not tell who has them."""

import pytest

from tasks_app.lifecycle.claims import claim_beginning, claim_end
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tests.support.viewers import NOW

QUEUED = Snapshot.queued("t1", "import", now=NOW)


def test_task_is_begun_once():
    assert [claim_beginning(QUEUED), claim_beginning(QUEUED)] == [True, False]


def test_task_that_begins_is_not_withdrawn():
    assert [claim_beginning(QUEUED), claim_end(QUEUED)] == [True, False]


def test_task_that_was_withdrawn_is_not_begun():
    assert [claim_end(QUEUED), claim_beginning(QUEUED)] == [True, False]


def test_task_can_be_withdrawn_once_more_if_the_first_time_was_not_answered():
    assert [claim_end(QUEUED), claim_end(QUEUED)] == [True, True]


def test_next_attempt_is_another_claim():
    assert claim_beginning(QUEUED)
    assert claim_beginning(QUEUED.begun(now=NOW))


@pytest.mark.parametrize("claim", [claim_beginning, claim_end])
def test_client_that_asks_the_cache_again_after_a_lost_answer_keeps_its_claim(claim, monkeypatch):
    add = type(get_store().cache).add

    def add_twice(self, *args):
        add(self, *args)
        return add(self, *args)

    monkeypatch.setattr(type(get_store().cache), "add", add_twice)
    assert claim(QUEUED)
