"""The lines of a log: pages as they are stored, events as viewers get them, and no line lost or told twice."""

import json
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_app.reporting.log import Journal, check_level
from tasks_app.snapshot.log_page import MAX_LINE_LENGTH, PAGE_LINES, LogPage, parse_page
from tasks_app.streaming.log import EVENT_BYTES, MAX_SHARED, PAGE_WAIT, Log

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LIMIT = 1000


def log_numbers(journal: Journal, *numbers: int) -> None:
    for number in numbers:
        journal.append(str(number), "info", now=NOW)


def read_lines(journal: Journal) -> list[str]:
    """Return the texts that are to be written, by offset."""
    pages = sorted((parse_page(text) for text in journal.pages.values()), key=lambda page: page.offset)
    return [json.loads(line)["text"] for page in pages for line in page.lines]


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


# --- what is logged ---


def test_page_is_this_text():
    journal = Journal(0, limit=LIMIT)
    journal.append("Hello \u2713", "info", now=NOW)
    journal.append("Oh", "error", now=NOW)
    assert journal.absorb() == 2
    assert journal.pages == {
        0: '{"offset":0,"lines":['
        '{"t":"2026-01-31T12:00:00.000Z","level":"info","text":"Hello \\u2713"},'
        '{"t":"2026-01-31T12:00:00.000Z","level":"error","text":"Oh"}]}'
    }


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one", ["one"]),
        ("one\ntwo", ["one", "two"]),
        ("one\r\ntwo\n", ["one", "two"]),
        (" 9%\r10%", [" 9%", "10%"]),
        ("one\n\ntwo", ["one", "", "two"]),
        ("", [""]),
        ("\n", [""]),
        ("\ud800 \x00 \x1b[1m \U0001f680", ["\ud800 \x00 \x1b[1m \U0001f680"]),
    ],
)
def test_each_line_of_a_text_is_one(text, lines):
    journal = Journal(0, limit=LIMIT)
    journal.append(text, "info", now=NOW)
    assert journal.absorb() == len(lines)
    assert read_lines(journal) == lines


@pytest.mark.parametrize("length", [MAX_LINE_LENGTH, MAX_LINE_LENGTH + 1, 100_000])
def test_long_line_is_shortened_and_shows_it(length):
    journal = Journal(0, limit=LIMIT)
    journal.append("x" * length, "info", now=NOW)
    journal.absorb()
    (line,) = read_lines(journal)
    assert len(line) == MAX_LINE_LENGTH
    assert line.endswith("…") == (length > MAX_LINE_LENGTH)


def test_page_of_the_worst_lines_fits_into_memcached():
    journal = Journal(0, limit=LIMIT)
    for _ in range(PAGE_LINES):
        journal.append("\U0001f680" * MAX_LINE_LENGTH, check_level("\U0001f680" * 100), now=NOW)
    journal.absorb()
    (page,) = journal.pages.values()
    assert len(page) < 1_000_000


@pytest.mark.parametrize(("level", "shown"), [("info", "info"), ("WARNING", "warning"), ("x" * 30, "x" * 20)])
def test_level_is_shown_in_lower_case_and_cut(level, shown):
    assert check_level(level) == shown


@pytest.mark.parametrize(
    ("level", "error"), [(20, TypeError), (None, TypeError), (b"info", TypeError), ("", ValueError)]
)
def test_level_that_is_no_text_is_refused_and_named(level, error):
    with pytest.raises(error, match="level must be a text") as caught:
        check_level(level)
    assert str(caught.value).endswith(f"not {level!r}")


# --- pages ---


def test_only_pages_with_news_are_to_be_written():
    journal = Journal(0, limit=LIMIT)
    log_numbers(journal, *range(PAGE_LINES * 2 + 10))
    journal.absorb()
    assert list(journal.pages) == [0, 1, 2]
    journal.pages.clear()
    log_numbers(journal, 1)
    journal.absorb()
    assert list(journal.pages) == [2]
    assert len(read_lines(journal)) == 11


def test_page_that_is_full_is_not_written_again():
    journal = Journal(0, limit=LIMIT)
    log_numbers(journal, *range(PAGE_LINES))
    journal.absorb()
    journal.pages.clear()
    log_numbers(journal, PAGE_LINES)
    journal.absorb()
    assert read_lines(journal) == [str(PAGE_LINES)]


def test_nothing_new_is_nothing_to_write():
    journal = Journal(7, limit=LIMIT)
    assert journal.absorb() == 7
    assert journal.pages == {}


@pytest.mark.parametrize(("logged", "offset"), [(0, 0), (1, 50), (50, 50), (51, 100)])
def test_new_attempt_leaves_the_pages_of_its_predecessor_alone(logged, offset):
    journal = Journal(logged, limit=LIMIT)
    log_numbers(journal, 1)
    assert journal.absorb() == offset + 1
    (page,) = journal.pages.values()
    assert parse_page(page).offset == offset


def test_what_waits_is_bounded_and_the_latest():
    journal = Journal(0, limit=120)
    for number in range(10_000):
        log_numbers(journal, number)
    assert journal.absorb() == 120
    assert read_lines(journal) == [str(number) for number in range(10_000 - 120, 10_000)]


def test_text_with_more_lines_than_are_kept_is_cut_before_it_is_encoded(monkeypatch):
    encoded = []
    monkeypatch.setattr(
        "tasks_app.reporting.log.encode_json", lambda value: encoded.append(value) or json.dumps(value)
    )
    Journal(0, limit=10).append("x\n" * 100_000, "info", now=NOW)
    assert encoded[2:] == ["x"] * 10


def test_pages_that_cannot_be_written_are_bounded():
    journal = Journal(0, limit=120)
    for number in range(10_000):
        log_numbers(journal, number)
        journal.absorb()
    assert len(journal.pages) == 4
    assert read_lines(journal)[-120:] == [str(number) for number in range(10_000 - 120, 10_000)]


def test_line_that_is_logged_meanwhile_has_its_turn_later():
    """Else a job that logs without a pause would keep the flusher for ever."""
    journal = Journal(0, limit=LIMIT)
    log_numbers(journal, 1)

    class Greedy(list):
        def append(self, line: str) -> None:
            log_numbers(journal, 2)
            super().append(line)

    journal._lines = Greedy()
    assert journal.absorb() == 1
    assert journal.absorb() == 2


def test_lines_of_many_threads_are_all_there():
    journal = Journal(0, limit=10_000)
    all_of_them = threading.Barrier(8)

    def work(thread: int) -> None:
        all_of_them.wait(10)
        log_numbers(journal, *range(thread * 1000, thread * 1000 + 1000))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        journal.absorb()
    assert journal.absorb() == 8000
    assert sorted(map(int, read_lines(journal))) == list(range(8000))


GARBAGE = [
    "",
    "not JSON",
    "{}",
    "[]",
    "null",
    '{"offset":0}',
    '{"offset":null,"lines":[]}',
    '{"offset":0,"lines":[1]}',
    '{"offset":0,"lines":[{"t":"x","level":"x"}]}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", [*GARBAGE, 1, None, b"\xff"])
def test_garbage_is_no_page(text):
    with pytest.raises(ValueError, match="not a stored page of a log"):
        parse_page(text)


# --- what viewers are told ---


def test_event_has_no_id_and_is_these_bytes():
    log = Log('a"b', limit=LIMIT)
    log.take_in(2, {0: LogPage(0, [b'{"a":1}', b'{"a":2}'])}, monotonic=0)
    assert log.encode_from(0) == (b'event: log\ndata: {"task_id":"a\\"b","offset":0,"lines":[{"a":1},{"a":2}]}\n\n', 2)


def test_viewers_of_the_same_lines_get_the_same_bytes_object():
    journal, log = Journal(0, limit=LIMIT), Log("t1", limit=LIMIT)
    log_numbers(journal, 1, 2)
    journal.absorb()
    show(log, journal)
    assert log.encode_from(0)[0] is log.encode_from(0)[0]


def test_events_that_are_shared_are_bounded():
    journal, log = Journal(0, limit=LIMIT), Log("t1", limit=LIMIT)
    log_numbers(journal, *range(1000))
    journal.absorb()
    show(log, journal)
    for cursor in range(1000):
        log.encode_from(cursor)
    assert len(log._shared) <= MAX_SHARED


def test_one_who_comes_later_gets_more_lines_in_one_event():
    journal, log = Journal(0, limit=LIMIT), Log("t1", limit=LIMIT)
    for number in range(3):
        log_numbers(journal, number)
        journal.absorb()
        show(log, journal)
        assert len(read_events(log)) == 1


def test_event_goes_on_at_the_cursor():
    journal, log = Journal(0, limit=LIMIT), Log("t1", limit=LIMIT)
    log_numbers(journal, *range(5))
    journal.absorb()
    show(log, journal)
    assert read_events(log, 3) == [(3, ["3", "4"])]
    assert read_events(log, 5) == []
    assert read_events(log, 10**15) == []


def test_event_does_not_grow_without_bounds():
    journal, log = Journal(0, limit=LIMIT), Log("t1", limit=LIMIT)
    for _ in range(PAGE_LINES):
        journal.append("\U0001f680" * MAX_LINE_LENGTH, "info", now=NOW)
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


def test_no_more_lines_are_kept_than_the_limit():
    journal, log, store = Journal(0, limit=120), Log("t1", limit=120), {}
    for number in range(1000):
        log_numbers(journal, number)
        logged = journal.absorb()
        store |= journal.pages
        journal.pages.clear()
        log.take_in(logged, {slot: parse_page(text) for slot, text in store.items()}, monotonic=0)
    told = [line for _, lines in read_events(log) for line in lines]
    assert told == [str(number) for number in range(880, 1000)]
    assert sum(len(page.lines) for page in log._pages.values()) <= 120 + PAGE_LINES
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
    assert not log.take_in(2, {}, monotonic=12), "it is waited for anew"


def test_log_that_was_begun_anew_is_told_to_new_viewers():
    log = Log("t1", limit=LIMIT)
    log.take_in(60, {1: LogPage(50, [b'{"text":"old"}'] * 10)}, monotonic=0)
    log.take_in(1, {0: LogPage(0, [b'{"text":"new"}'])}, monotonic=0)
    assert (log.end, read_events(log)) == (1, [(0, ["new"])])


steps = st.lists(
    st.one_of(
        st.integers(1, 170).map(lambda count: ("log", count)),
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
    journal, log = Journal(0, limit=limit), Log("t1", limit=limit)
    store: dict[int, str] = {}
    stored: dict[int, int] = {}
    cursor, told = 0, []
    for step, value in [*steps, ("write", True), ("look", 0), ("read", 0)]:
        if step == "log":
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
            journal = Journal(logged, limit=limit)
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
