"""The lines of a log as viewers get them: none is lost, and none told twice."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.reporting.log import Journal
from tasks_app.snapshot.log_page import MAX_LINE_LENGTH, PAGE_LINES, LogPage, parse_page
from tasks_app.streaming.log import EVENT_BYTES, MAX_SHARED, MAX_SHARED_BYTES, PAGE_WAIT, Log
from tests.support.doubles import START
from tests.support.logs import BYTES, LIMIT, log_numbers


def show(log: Log, journal: Journal, *, monotonic: float = 0.0) -> bool:
    """Have a log take in what a journal has to write."""
    pages = {slot: parse_page(text) for slot, text in journal.pages.items()}
    return log.take_in(journal.absorb(), pages, monotonic=monotonic)


def read_events(log: Log, cursor: int = 0) -> list[tuple[int, list[str]]]:
    """Return the events from a cursor on: the offset of each, and its texts."""
    events = []
    while (event := log.encode_from(cursor)) is not None:
        frame, cursor = event
        data = json.loads(frame.removeprefix(b"event: log\ndata: "))
        events.append((data["offset"], [line["text"] for line in data["lines"]]))
    return events


def test_event_has_no_id_and_is_these_bytes():
    log = Log('a"b', limit=LIMIT)
    log.take_in(2, {0: LogPage(0, [b'{"a":1}', b'{"a":2}'])}, monotonic=0)
    assert log.encode_from(0) == (b'event: log\ndata: {"task_id":"a\\"b","offset":0,"lines":[{"a":1},{"a":2}]}\n\n', 2)


def test_viewers_of_the_same_lines_get_the_same_bytes_object():
    journal, log = Journal(0, limit=LIMIT, max_bytes=BYTES), Log("t1", limit=LIMIT)
    log_numbers(journal, 1, 2)
    journal.absorb()
    show(log, journal)
    assert log.encode_from(0)[0] is log.encode_from(0)[0]


def test_events_that_are_shared_are_bounded():
    journal, log = Journal(0, limit=LIMIT, max_bytes=BYTES), Log("t1", limit=LIMIT)
    log_numbers(journal, *range(1000))
    journal.absorb()
    show(log, journal)
    first, _ = log.encode_from(0)
    for cursor in range(1, MAX_SHARED + 1):
        log.encode_from(cursor)
    assert log.encode_from(0)[0] is not first, "it made room for others"


def test_bytes_of_events_that_are_shared_are_bounded():
    journal, log = Journal(0, limit=LIMIT, max_bytes=BYTES), Log("t1", limit=LIMIT)
    for _ in range(PAGE_LINES):
        journal.append("x" * MAX_LINE_LENGTH, "info", now=START)
    journal.absorb()
    show(log, journal)
    first, _ = log.encode_from(0)
    for cursor in range(1, 1 + MAX_SHARED_BYTES // len(first)):
        log.encode_from(cursor)
    assert log.encode_from(0)[0] is first
    for cursor in range(15, 20):
        log.encode_from(cursor)
    assert log.encode_from(0)[0] is not first, "it made room for others"


def test_one_who_comes_later_gets_more_lines_in_one_event():
    journal, log = Journal(0, limit=LIMIT, max_bytes=BYTES), Log("t1", limit=LIMIT)
    for number in range(3):
        log_numbers(journal, number)
        journal.absorb()
        show(log, journal)
        assert len(read_events(log)) == 1


def test_event_goes_on_at_the_cursor():
    journal, log = Journal(0, limit=LIMIT, max_bytes=BYTES), Log("t1", limit=LIMIT)
    log_numbers(journal, *range(5))
    journal.absorb()
    show(log, journal)
    assert read_events(log, 3) == [(3, ["3", "4"])]
    assert read_events(log, 5) == []
    assert read_events(log, 10**15) == []


def test_event_does_not_grow_without_bounds():
    journal, log = Journal(0, limit=LIMIT, max_bytes=BYTES), Log("t1", limit=LIMIT)
    for _ in range(PAGE_LINES):
        journal.append("\U0001f680" * MAX_LINE_LENGTH, "info", now=START)
    journal.absorb()
    show(log, journal)
    frame, _ = log.encode_from(0)
    assert EVENT_BYTES <= len(frame) < EVENT_BYTES + 13 * MAX_LINE_LENGTH
    assert sum(len(lines) for _, lines in read_events(log)) == PAGE_LINES


def test_lines_that_no_snapshot_counts_are_not_told():
    """A process that dies before its snapshot is stored leaves offsets behind that the next attempt uses again."""
    log = Log("t1", limit=LIMIT)
    log.take_in(1, {0: LogPage(0, [b'{"text":"1"}', b'{"text":"2"}'])}, monotonic=0)
    assert read_events(log) == [(0, ["1"])]


class Line(bytes):
    """A line that counts how many of its kind are in memory."""

    living = 0

    def __init__(self, text: bytes) -> None:
        Line.living += 1

    def __del__(self) -> None:
        Line.living -= 1


def parse_lines(text: str) -> LogPage:
    page = parse_page(text)
    return LogPage(page.offset, [Line(line) for line in page.lines])


def test_no_more_lines_are_kept_than_the_limit():
    journal, log, store = Journal(0, limit=120, max_bytes=BYTES), Log("t1", limit=120), {}
    for number in range(1000):
        log_numbers(journal, number)
        logged = journal.absorb()
        store |= journal.pages
        journal.pages.clear()
        log.take_in(logged, {slot: parse_lines(text) for slot, text in store.items()}, monotonic=0)
    told = [line for _, lines in read_events(log) for line in lines]
    assert told == [str(number) for number in range(880, 1000)]
    assert len(told) <= Line.living <= 120 + PAGE_LINES
    assert len(store) == 4


def test_page_that_was_overwritten_is_not_taken_for_the_one_before():
    log = Log("t1", limit=120)
    assert log.find_slots(250) == [2, 3, 0]
    log.take_in(
        250, {2: LogPage(300, [b"{}"] * 50), 3: LogPage(150, [b'{"text":"x"}']), 0: LogPage(200, [])}, monotonic=0
    )
    assert read_events(log) == [(150, ["x"])]


def test_only_pages_with_news_are_read():
    log = Log("t1", limit=LIMIT)
    assert log.find_slots(130) == [0, 1, 2]
    log.take_in(130, {2: LogPage(100, [b"{}"] * 30)}, monotonic=0)
    assert log.find_slots(131) == [2]


def test_page_that_is_missing_before_the_last_is_skipped():
    log = Log("t1", limit=LIMIT)
    assert log.take_in(51, {1: LogPage(50, [b'{"text":"x"}'])}, monotonic=0)
    assert (log.end, read_events(log)) == (51, [(50, ["x"])])


@pytest.mark.parametrize("pages", [{}, {0: LogPage(0, [b'{"text":"x"}'])}], ids=["missing", "short"])
def test_last_page_is_waited_for_and_then_given_up(pages):
    log = Log("t1", limit=LIMIT)
    found = len(pages)
    log.take_in(3, pages, monotonic=10)
    assert log.end == found
    assert not log.take_in(3, pages, monotonic=10 + PAGE_WAIT / 2)
    assert log.take_in(3, pages, monotonic=10 + PAGE_WAIT)
    assert log.end == 3


def test_last_page_that_comes_late_is_told():
    log = Log("t1", limit=LIMIT)
    assert not log.take_in(1, {}, monotonic=10)
    assert log.take_in(1, {0: LogPage(0, [b'{"text":"x"}'])}, monotonic=10.5)
    assert read_events(log) == [(0, ["x"])]
    assert not log.take_in(2, {}, monotonic=12), "it is waited for again"


def test_log_that_was_begun_anew_is_told_to_new_viewers():
    log = Log("t1", limit=LIMIT)
    log.take_in(60, {1: LogPage(50, [b'{"text":"old"}'] * 10)}, monotonic=0)
    log.take_in(1, {0: LogPage(0, [b'{"text":"new"}'])}, monotonic=0)
    assert (log.end, read_events(log)) == (1, [(0, ["new"])])


steps = st.lists(
    st.one_of(
        st.integers(1, 99).map(lambda count: ("log", count)),
        st.sampled_from([("write", True), ("write", False), ("crash", 0), ("look", 0), ("read", 0)]),
    ),
    max_size=40,
)


def find_stored(journal: Journal) -> dict[int, int]:
    """Return what is to be written: the number that each offset stands for."""
    pages = map(parse_page, journal.pages.values())
    return {
        offset: int(json.loads(line)["text"]) for page in pages for offset, line in enumerate(page.lines, page.offset)
    }


@given(steps)
def test_every_line_is_told_once_and_in_order_while_it_is_kept(steps):
    """Any mix of logging, flushes that work or fail, processes that crash, and viewers that come and go."""
    limit, number, logged = 100, 0, 0
    journal, log = Journal(0, limit=limit, max_bytes=BYTES), Log("t1", limit=limit)
    store: dict[int, str] = {}
    stored: dict[int, int] = {}
    cursor, told = 0, []
    for step, value in [*steps, ("write", True), ("look", 0), ("read", 0)]:
        if step == "log" and not journal.holds_back:  # else some would be dropped
            log_numbers(journal, *range(number, number + value))
            number += value
        elif step == "write":
            count = journal.absorb()
            if value:
                assert all(stored.get(offset, line) == line for offset, line in find_stored(journal).items())
                stored |= find_stored(journal)
                store |= journal.pages
                journal.pages.clear()
                logged = count
        elif step == "crash":
            journal = Journal(logged, limit=limit, max_bytes=BYTES)
        elif step == "look":
            log.take_in(logged, {slot: parse_page(text) for slot, text in store.items()}, monotonic=0)
            kept = [line for offset, line in sorted(stored.items()) if logged - limit <= offset]
            assert [int(text) for _, lines in read_events(log) for text in lines] == kept
        else:
            new = [line for offset, line in sorted(stored.items()) if max(cursor, log.end - limit) <= offset < log.end]
            told += [int(text) for _, lines in read_events(log, cursor) for text in lines]
            assert told[len(told) - len(new) :] == new
            cursor = log.end
    assert told == sorted(set(told))
