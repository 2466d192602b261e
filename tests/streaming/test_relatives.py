"""What was to be sent after a task whose process is gone ends with it, for all who look at that task."""

from datetime import timedelta

from tasks_app import get_snapshot
from tasks_app.integration import get_followers, make_follower
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.store.store import get_store
from tests.streaming.test_stream import open_one
from tests.support.viewers import NOW, make_running, put, read_rest, until

EXPIRED = Snapshot.queued("t1", "demo", now=NOW, expires_at=NOW + timedelta(seconds=1))


def announce(before: Snapshot, *task_ids: str) -> None:
    """Store a task, and announce what is to be sent after it."""
    put(before)
    followers = [make_follower(task_id, "demo", after=before, now=NOW) for task_id in task_ids]
    get_followers().announce(followers, after=before)


def find_states(*task_ids: str) -> list[str]:
    return [get_store().get(task_id).state for task_id in task_ids]


def test_followers_of_a_task_that_expired_are_cancelled_with_it():
    announce(EXPIRED, "second", "third")
    assert get_snapshot("t1").state == "cancelled"
    assert find_states("second", "third") == ["cancelled", "cancelled"]
    assert get_snapshot("second").status == get_snapshot("t1").status


async def test_followers_of_a_task_that_is_declared_lost_are_lost_with_it(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "HEARTBEAT": 0.05, "STALLED_AFTER": 0.1, "LOST_AFTER": 0.3}
    settings.TASKS_APP["SWEEP_INTERVAL"] = 0.05
    announce(make_running(), "second_of_lost")
    stream = await open_one()
    await read_rest(stream)
    await until(lambda: find_states("second_of_lost") == ["lost"], "what was to follow is lost")


def test_follower_that_was_sent_goes_on():
    announce(EXPIRED, "sent")
    put(running := make_running("sent"))
    assert get_snapshot("t1").state == "cancelled"
    assert get_store().get("sent") == running


def test_note_that_can_not_be_read_leaves_the_end_of_the_task_itself(monkeypatch, caplog):
    announce(EXPIRED, "unknown_follower")
    monkeypatch.setattr("tasks_app.streaming.relatives.find_followers", lambda task_ids: 1 / 0)
    assert get_snapshot("t1").state == "cancelled"
    assert "can't be ended" in caplog.text
