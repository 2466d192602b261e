"""Tasks whose ids are known before they are sent, on any executor."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tasks_app import Snapshot, get_snapshot
from tasks_app.integration import adopt, begin, get_flusher, get_followers, make_follower, queue
from tasks_app.store.store import Store, get_store
from tests.support.doubles import controlled_cache
from tests.support.viewers import make_running, put, report
from tests.support.waiting import wait_until

FIRST = make_running("first", owner="7")


def make_followers(count: int = 1) -> list[Snapshot]:
    """Return followers that this process has not announced before."""
    return [make_follower(str(uuid4()), "demo", after=FIRST, now=datetime.now(UTC)) for _ in range(count)]


def announce_one() -> str:
    (snapshot,) = followers = make_followers()
    get_followers().announce(followers, after=FIRST)
    return snapshot.task_id


def are_known(followers: list[Snapshot]) -> bool:
    return len(get_store().read(snapshot.task_id for snapshot in followers)) == len(followers)


def test_follower_is_queued_for_the_owner_of_what_sends_it():
    task_id = announce_one()
    snapshot = get_snapshot(task_id)
    assert (snapshot.state, snapshot.owner, snapshot.attempt) == ("queued", "7", 0)


def test_task_of_which_more_is_known_is_left_alone():
    (snapshot,) = followers = make_followers()
    put(known := report(make_running(snapshot.task_id), 42))
    get_followers().announce(followers, after=FIRST)
    assert get_store().get(snapshot.task_id) == known


@pytest.mark.parametrize("broken", ["add", "get_many"])
def test_follower_that_could_not_be_stored_is_stored_once_the_cache_works(broken, caplog):
    followers = make_followers(3)
    with controlled_cache(broken) as controls:
        get_followers().announce(followers, after=FIRST)
        controls.repair()
        wait_until(lambda: are_known(followers), "they are stored after all")
    assert "could not be announced at once" in caplog.text


def test_many_followers_are_stored_without_waiting_for_all():
    get_followers().announce(followers := make_followers(300), after=FIRST)
    assert not are_known(followers)
    wait_until(lambda: are_known(followers), "they are stored")


def test_follower_that_is_sent_is_queued_from_then_on_and_no_second_attempt():
    task_id = announce_one()
    begins_at = datetime.now(UTC) + timedelta(days=1)
    sent, is_stored = queue(task_id, "demo", not_before=begins_at)
    assert (sent.state, sent.attempt, sent.owner, sent.not_before, is_stored) == ("queued", 0, "7", begins_at, True)
    assert get_store().get(task_id).waits_for > 86_000


def test_task_that_is_sent_twice_does_not_go_back():
    task_id = announce_one()
    queue(task_id, "demo")
    put(known := get_store().get(task_id).begun(now=datetime.now(UTC)))
    assert queue(task_id, "demo")[0].seq == known.seq


def test_follower_that_was_ended_stays_so_when_it_is_sent():
    task_id = announce_one()
    adopt(get_store().get(task_id)).end_cancelled()
    get_flusher().flush()
    assert queue(task_id, "demo")[0].state == "cancelled"


def test_cache_that_refuses_to_keep_a_follower_is_logged_and_asked_again(settings, caplog):
    settings.TASKS_APP = {**settings.TASKS_APP, "HEARTBEAT": 0.5, "ACTIVE_TTL": 1, "SWEEP_INTERVAL": 0.05}
    followers = make_followers()
    with controlled_cache() as controls:
        reporter = begin(Snapshot.queued("first", "demo", now=datetime.now(UTC)))
        controls.break_down("add")
        get_followers().keep(reporter, followers)
        wait_until(lambda: "the cache may not keep what is to be sent after" in caplog.text, "it has failed")
        controls.repair()
        wait_until(lambda: are_known(followers), "it is stored")
        reporter.succeed()
        assert get_followers().take(reporter).keys() == {followers[0].task_id}
        wait_until(lambda: get_store().get("first").is_terminal, "the first one has ended")


def test_follower_that_is_sent_while_others_are_kept_stays_as_it_was_sent(settings, monkeypatch):
    settings.TASKS_APP = {**settings.TASKS_APP, "HEARTBEAT": 0.05, "SWEEP_INTERVAL": 0.05}
    sent, other = make_followers(2)
    reporter, touched = begin(Snapshot.queued("first", "demo", now=datetime.now(UTC))), []
    monkeypatch.setattr(Store, "touch", lambda self, snapshot: touched.append(snapshot.task_id) or True)
    monkeypatch.setattr(
        "tasks_app.lifecycle.followers.note_followers",
        lambda task_id, followers, **options: get_followers().note_sent(reporter, [sent.task_id]),
    )
    get_followers().keep(reporter, [sent, other])
    wait_until(lambda: touched, "the other one is kept")
    reporter.succeed()
    get_followers().take(reporter)
    assert touched == [other.task_id]


def test_task_that_ends_at_once_has_not_told_the_cache_what_to_keep(monkeypatch):
    submitted: list[Any] = []
    monkeypatch.setattr(Store, "submit", lambda self, function, *args: submitted.append(args))
    reporter = begin(Snapshot.queued("first", "demo", now=datetime.now(UTC)))
    get_followers().keep(reporter, make_followers())
    get_followers().renew()
    get_followers().take(reporter)
    reporter.succeed()
    assert submitted == []
