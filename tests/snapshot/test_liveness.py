"""What the silence of a task means, measured by the clock of the observer."""

from datetime import datetime, timedelta

from tasks_app.snapshot.liveness import Silence, Spell, judge
from tasks_app.snapshot.snapshot import Snapshot
from tests.support.viewers import NOW, make_running


def decode(text: str) -> Snapshot | None:
    return None if text == "garbage" else Snapshot.from_json(text)


def hear(snapshot: Snapshot | None, silence: Silence, *, monotonic: float) -> bool:
    return silence.hear(None if snapshot is None else snapshot.to_json(), monotonic=monotonic)


def make_silence(snapshot: Snapshot, *, monotonic: float = 100) -> Silence:
    """Return the silence of a task that was seen at this moment."""
    silence = Silence(decode)
    hear(snapshot, silence, monotonic=monotonic)
    return silence


def test_new_version_is_heard():
    silence = Silence(decode)
    assert hear(make_running(), silence, monotonic=1) is True
    assert silence.snapshot == make_running()


def test_same_version_is_no_news():
    silence = make_silence(make_running())
    assert hear(make_running(), silence, monotonic=101) is False


def test_silence_lasts_from_the_last_change():
    silence = make_silence(make_running())
    hear(make_running(), silence, monotonic=105)
    assert silence.measure(monotonic=107, now=NOW).length == 7


def test_sign_of_life_ends_the_silence():
    silence = make_silence(make_running())
    hear(make_running().beating(), silence, monotonic=105)
    assert silence.measure(monotonic=107, now=NOW).length == 2


def test_task_that_vanished_is_silent_still():
    silence = make_silence(make_running())
    assert hear(None, silence, monotonic=105) is False
    assert (silence.measure(monotonic=107, now=NOW).length, silence.snapshot) == (7, make_running())


def test_queued_task_that_nobody_beats_for_is_not_silent():
    silence = make_silence(Snapshot.queued("t1", "demo", now=NOW))
    assert silence.measure(monotonic=1e6, now=NOW).length == 0


def test_queued_task_that_beats_is_silent_when_it_stops():
    silence = make_silence(Snapshot.queued("t1", "demo", now=NOW, beat=1))
    assert silence.measure(monotonic=107, now=NOW).length == 7


def test_queued_task_that_nobody_beats_for_is_silent_from_when_it_vanished():
    silence = make_silence(Snapshot.queued("t1", "demo", now=NOW))
    hear(None, silence, monotonic=200)
    hear(None, silence, monotonic=205)
    assert silence.measure(monotonic=207, now=NOW).length == 7


def make_vanished(**private: datetime) -> Silence:
    """Return the silence of a queued task that vanished at 100."""
    silence = make_silence(Snapshot.queued("t1", "demo", now=NOW, **private))
    hear(None, silence, monotonic=100)
    return silence


def test_queued_task_that_vanished_may_begin_yet():
    assert make_vanished().measure(monotonic=170, now=NOW) == Spell(70, 70, may_begin=True)


def test_queued_task_that_vanished_is_counted_from_when_it_may_begin():
    silence = make_vanished(not_before=NOW + timedelta(seconds=60))
    assert silence.measure(monotonic=150, now=NOW + timedelta(seconds=50)) == Spell(50, 0, may_begin=True)
    assert silence.measure(monotonic=170, now=NOW + timedelta(seconds=70)) == Spell(70, 10, may_begin=True)


def test_queued_task_that_vanished_and_expired_begins_no_more():
    silence = make_vanished(expires_at=NOW + timedelta(seconds=60))
    assert silence.measure(monotonic=150, now=NOW + timedelta(seconds=50)) == Spell(50, 50, may_begin=True)
    assert silence.measure(monotonic=170, now=NOW + timedelta(seconds=70)) == Spell(70, 10)


def test_queued_task_that_is_back_is_news_though_it_is_the_same():
    assert hear(Snapshot.queued("t1", "demo", now=NOW), make_vanished(), monotonic=107) is True


def test_running_task_that_a_replica_misses_for_a_moment_is_no_news():
    silence = make_silence(make_running())
    hear(None, silence, monotonic=105)
    assert hear(make_running(), silence, monotonic=106) is False


def test_ended_task_is_not_silent():
    silence = make_silence(make_running().succeeded(now=NOW))
    assert silence.measure(monotonic=1e6, now=NOW).length == 0


def test_task_that_was_never_seen_is_not_silent():
    silence = Silence(decode)
    hear(None, silence, monotonic=100)
    assert silence.measure(monotonic=1e6, now=NOW).length == 0


def test_time_in_which_nobody_looked_is_left_out():
    silence = make_silence(make_running())
    silence.forgive(4)
    assert silence.measure(monotonic=107, now=NOW).length == 3


def test_silence_that_is_forgotten_is_counted_again():
    silence = make_silence(make_running())
    silence.forget(monotonic=105)
    assert silence.measure(monotonic=107, now=NOW).length == 2


def test_silence_that_is_excused_is_not_counted_but_seen():
    silence = make_silence(make_running())
    silence.excuse(monotonic=105)
    assert silence.measure(monotonic=107, now=NOW) == Spell(length=7, counted=2)


def test_sign_of_life_after_an_excuse_ends_the_silence():
    silence = make_silence(make_running())
    silence.excuse(monotonic=105)
    hear(make_running().beating(), silence, monotonic=106)
    assert silence.measure(monotonic=107, now=NOW) == Spell(length=1, counted=1)


def test_task_that_is_silent_for_long_but_counted_for_less_is_stalled():
    spells = {"excused": Spell(length=1000, counted=60), "heard of": Spell(length=10, counted=10)}
    assert judge(spells, stalled_after=15, lost_after=60, queued_lost_after=3600) == (["excused"], [])


def test_age_is_the_time_since_the_last_write():
    silence = make_silence(make_running().written(now=NOW))
    assert silence.get_age(now=NOW + timedelta(seconds=90)) == 90


def test_age_is_unknown_where_the_writer_stored_no_time():
    assert make_silence(make_running()).get_age(now=NOW + timedelta(days=1)) == 0


def test_silence_that_is_backdated_is_counted_up_to_a_limit():
    silence = make_silence(make_running())
    silence.backdate(600, counted=45, monotonic=100)
    assert silence.measure(monotonic=107, now=NOW) == Spell(length=607, counted=52)


def test_backdating_shortens_no_silence():
    silence = make_silence(make_running())
    silence.backdate(3, counted=2, monotonic=107)
    assert silence.measure(monotonic=107, now=NOW) == Spell(length=7, counted=7)


def test_queued_task_that_nobody_beats_for_is_not_silent_whatever_its_age():
    silence = make_silence(Snapshot.queued("t1", "demo", now=NOW))
    silence.backdate(600, counted=45, monotonic=100)
    assert silence.measure(monotonic=107, now=NOW) == Spell(0, 0)


def test_garbage_is_no_news_and_leaves_what_was_seen():
    silence = make_silence(make_running())
    assert silence.hear("garbage", monotonic=101) is False
    assert (silence.is_garbled, silence.snapshot) == (True, make_running())


def test_version_after_garbage_is_heard():
    silence = make_silence(make_running())
    silence.hear("garbage", monotonic=101)
    assert hear(make_running(), silence, monotonic=102) is True
    assert silence.is_garbled is False


def test_task_that_may_begin_yet_is_lost_beyond_a_limit_of_its_own():
    spells = {name: Spell(counted, counted, may_begin=True) for name, counted in (("in time", 3600), ("late", 3600.1))}
    assert judge(spells, stalled_after=15, lost_after=60, queued_lost_after=3600) == (["in time"], ["late"])


def test_task_is_stalled_and_lost_beyond_the_limits_alone():
    silences = {"lively": 15.0, "quiet": 15.1, "quieter": 60.0, "gone": 60.1}
    spells = {name: Spell(silence, silence) for name, silence in silences.items()}
    assert judge(spells, stalled_after=15, lost_after=60, queued_lost_after=3600) == (["quiet", "quieter"], ["gone"])
