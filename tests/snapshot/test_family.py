"""A parent and its children, shown as one task."""

from datetime import timedelta

import pytest

from tasks_app.snapshot.family import BATCH, Part, as_lost, as_whole, awaits_children, compose, expect_children
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import Report, State
from tests.support.viewers import NOW

LATER = NOW + timedelta(seconds=5)


def make_batch(total: int, **private: object) -> Snapshot:
    own = Snapshot.queued("b", "batch", now=NOW, runner=BATCH, **private)
    return expect_children(own, total, now=NOW)


def make_part(state: str, percent: float = 0, seq: int = 1) -> Part:
    return Part(State(state), percent, seq, LATER, LATER)


def weigh(*parts: Part | None) -> list[tuple[float, Part | None]]:
    return [(1, part) for part in parts]


DONE, FAILED, LOST, CANCELLED = (
    make_part("succeeded", 100, 3),
    make_part("failed", 40, 3),
    make_part("lost", 40, 3),
    make_part("cancelled", 0, 3),
)


def test_progress_is_the_mean_of_the_children():
    assert compose(make_batch(2), weigh(DONE, make_part("running", 50))).percent == 75


def test_weights_say_how_much_of_the_progress_a_child_is():
    assert compose(make_batch(2), [(3, DONE), (1, None)]).percent == 75


def test_what_is_unknown_counts_as_queued_and_as_nothing_done():
    total = compose(make_batch(4), weigh(DONE))
    assert (total.percent, total.children) == (
        25,
        {**dict.fromkeys(State, 0), "total": 4, "queued": 3, "succeeded": 1},
    )


def test_report_of_a_running_parent_is_one_more_part():
    own = expect_children(Snapshot.queued("p", "job", now=NOW).begun(now=NOW), 1, now=NOW)
    own = own.reported(Report(current=1, total=2), now=NOW)
    assert compose(own, weigh(DONE)).percent == 75


def test_time_left_is_that_of_the_same_speed():
    begun = make_part("running", 40)._replace(changed_at=NOW + timedelta(seconds=15))
    assert compose(make_batch(4), weigh(DONE, begun, None, None)).eta == pytest.approx(10 / 0.35 * 0.65)


def test_time_left_is_unknown_until_a_child_has_ended():
    assert compose(make_batch(2), weigh(make_part("running", 50))).eta is None


def test_time_left_is_what_is_left_of_the_usual_time_until_a_child_has_ended():
    begun = make_part("running", 50)._replace(changed_at=NOW + timedelta(seconds=15))
    assert compose(make_batch(2, expected=60.0), weigh(begun)).eta == 50


def test_time_left_is_unknown_once_the_usual_time_is_over():
    begun = make_part("running", 50)._replace(changed_at=NOW + timedelta(seconds=65))
    assert compose(make_batch(2, expected=60.0), weigh(begun)).eta is None


def test_progress_is_never_below_what_was_shown():
    assert compose(make_batch(2), weigh(DONE, None), floor=80).percent == 80


def test_huge_weights_do_not_overflow():
    assert compose(make_batch(2), [(1.7e308, DONE), (1.7e308, None)]).percent == 50


@pytest.mark.parametrize(
    ("parts", "state", "status"),
    [
        ([None, None], "queued", "Queued"),
        ([make_part("queued"), make_part("running")], "running", "0 of 2 done"),
        ([DONE, None], "running", "1 of 2 done"),
        ([FAILED, make_part("running")], "running", "0 of 2 done, 1 failed"),
        ([DONE, DONE], "succeeded", "Completed"),
        ([DONE, FAILED], "failed", "1 of 2 done, 1 failed"),
        ([LOST, CANCELLED], "lost", "0 of 2 done, 1 cancelled, 1 lost"),
        ([DONE, CANCELLED], "cancelled", "1 of 2 done, 1 cancelled"),
        ([FAILED, LOST], "failed", "0 of 2 done, 1 failed, 1 lost"),
    ],
)
def test_batch_is_in_the_state_of_its_children(parts, state, status):
    total = compose(make_batch(2), weigh(*parts))
    assert (total.state, total.status) == (state, status)


def test_only_what_succeeded_is_at_100():
    assert compose(make_batch(1), weigh(make_part("failed", 100))).progress == 99


def test_failures_may_be_allowed():
    total = compose(make_batch(2, allows_failures=True), weigh(DONE, FAILED))
    assert (total.state, total.progress, total.status) == ("succeeded", 100, "1 of 2 done, 1 failed")


def test_parent_that_was_cancelled_ends_as_cancelled():
    assert compose(make_batch(2), weigh(FAILED, CANCELLED), is_cancelled=True).state is State.CANCELLED


def test_parent_that_has_ended_runs_until_its_children_have():
    own = expect_children(Snapshot.queued("p", "job", now=NOW).begun(now=NOW), 1, now=NOW).succeeded("it", now=NOW)
    running, ended = compose(own, weigh(make_part("running"))), compose(own, weigh(DONE))
    assert [(item.state, item.result, item.finished_at) for item in (running, ended)] == [
        ("running", None, None),
        ("succeeded", "it", LATER),
    ]


def test_parent_that_failed_itself_ends_as_failed():
    own = expect_children(Snapshot.queued("p", "job", now=NOW).begun(now=NOW), 1, now=NOW).failed("E", "x", now=NOW)
    total = compose(own, weigh(DONE))
    assert (total.state, total.status, total.error) == ("failed", "Failed: x", {"type": "E", "message": "x"})


def test_seq_grows_with_each_change_of_a_child():
    own = make_batch(2)
    seqs = [compose(own, weigh(*parts)).seq for parts in ([None], [make_part("queued")], [DONE], [DONE, CANCELLED])]
    assert seqs == sorted(set(seqs))


def test_stalls_when_all_that_runs_has():
    stalled = make_part("running")._replace(is_stalled=True)
    assert [compose(make_batch(2), weigh(stalled, other)).stalled for other in (DONE, make_part("running"))] == [
        True,
        False,
    ]


def test_batch_that_is_being_sent_goes_on_although_all_known_children_have_ended():
    sent = make_batch(1).beating()
    assert [compose(own, weigh(DONE)).state for own in (sent, as_whole(sent, now=LATER))] == ["running", "succeeded"]


def test_end_of_a_batch_that_was_sent_is_a_later_version_than_what_was_shown_before():
    sent = make_batch(1).beating()
    assert compose(as_whole(sent, now=LATER), weigh(DONE)).seq > compose(sent, weigh(DONE)).seq


def test_progress_is_unknown_while_more_children_may_be_sent():
    shown = compose(make_batch(0).beating(), weigh(DONE, make_part("running", 50)))
    assert (shown.percent, shown.progress, shown.eta, shown.children["total"]) == (None, 0, None, 2)


def test_progress_of_children_whose_number_is_known_is_shown_while_they_are_sent():
    assert compose(make_batch(4).beating(), weigh(DONE)).percent == 25


def test_children_of_which_nothing_is_known_are_lost_with_their_sender():
    lost = compose(as_lost(make_batch(4).beating(), now=NOW), weigh(DONE, FAILED, None))
    assert (lost.state, lost.status) == ("lost", "Its sender stopped responding before all of it was sent")
    assert lost.children == {**dict.fromkeys(State, 0), "total": 4, "succeeded": 1, "failed": 1, "lost": 2}


def test_batch_whose_sender_is_lost_goes_on_until_the_children_that_are_known_have_ended():
    shown = compose(as_lost(make_batch(4).beating(), now=NOW), weigh(DONE, make_part("running", 50), None))
    assert (shown.state, shown.children["lost"], shown.finished_at) == ("running", 2, None)


def test_note_of_an_end_is_read_as_it_was():
    assert Part.from_note(DONE.to_note()) == DONE


@pytest.mark.parametrize(
    "note", [None, 1, "x", [], ["x", 1, 1, 1, None], ["failed", "1", 1, 1, None], ["failed", 1, 1, 1e300, 0]]
)
def test_note_of_another_shape_is_none(note):
    assert Part.from_note(note) is None


def test_sum_awaits_nothing():
    own = make_batch(1)
    assert [awaits_children(item) for item in (own, compose(own, weigh(DONE)))] == [True, False]


def test_own_record_is_read_as_it_was_stored():
    own = make_batch(3, parent="above", allows_failures=True)
    assert Snapshot.from_json(own.to_json()) == own
