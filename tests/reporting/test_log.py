"""What a job logs, until it is stored: pages of lines, and none of them lost."""

import json
import threading
from collections import deque

import pytest

from tasks_app.reporting.log import Journal, check_level
from tasks_app.snapshot.log_page import MAX_LINE_LENGTH, PAGE_LINES, get_slot, parse_page
from tests.support.doubles import START
from tests.support.logs import BYTES, LIMIT, log_numbers
from tests.support.waiting import DEADLINE


def find_stored(journal: Journal) -> dict[int, str]:
    """Return the texts that are to be written, each with its offset."""
    pages = map(parse_page, journal.pages.values())
    return {offset: json.loads(line)["text"] for page in pages for offset, line in enumerate(page.lines, page.offset)}


def read_lines(journal: Journal) -> list[str]:
    """Return the texts that are to be written, by offset."""
    pages = sorted((parse_page(text) for text in journal.pages.values()), key=lambda page: page.offset)
    return [json.loads(line)["text"] for page in pages for line in page.lines]


# --- what is logged ---


def test_page_is_this_text():
    journal = Journal(0, limit=LIMIT, max_bytes=BYTES)
    journal.append("Hello \u2713", "info", now=START)
    journal.append("Oh", "error", now=START)
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
        ("\ud800 \x00 \x1b[1m \U0001f680", ["\ufffd \x00 \x1b[1m \U0001f680"]),
    ],
)
def test_each_line_of_a_text_is_one(text, lines):
    journal = Journal(0, limit=LIMIT, max_bytes=BYTES)
    journal.append(text, "info", now=START)
    assert journal.absorb() == len(lines)
    assert read_lines(journal) == lines


@pytest.mark.parametrize("length", [MAX_LINE_LENGTH, MAX_LINE_LENGTH + 1, 100_000])
def test_long_line_is_shortened_and_shows_it(length):
    journal = Journal(0, limit=LIMIT, max_bytes=BYTES)
    journal.append("x" * length, "info", now=START)
    journal.absorb()
    (line,) = read_lines(journal)
    assert len(line) == MAX_LINE_LENGTH
    assert line.endswith("…") == (length > MAX_LINE_LENGTH)


def test_page_of_the_worst_lines_fits_into_memcached():
    journal = Journal(0, limit=LIMIT, max_bytes=BYTES)
    for _ in range(PAGE_LINES):
        journal.append("\U0001f680" * MAX_LINE_LENGTH, check_level("\U0001f680" * 100), now=START)
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


def test_level_that_is_a_whole_number_of_any_length_is_named():
    with pytest.raises(TypeError, match="level must be a text such as 'info' or 'error', not an int of 16610 bits"):
        check_level(10**5000)


# --- bytes ---


def count_bytes(journal: Journal) -> int:
    return sum(map(len, journal.pages.values()))


@pytest.mark.parametrize("text", ["x", "x" * 300, "\U0001f680" * MAX_LINE_LENGTH, "\U0001f680" * 70 + "x"])
@pytest.mark.parametrize(("limit", "max_bytes"), [(1000, 262_144), (50, 20_000), (120, 100_000)])
def test_log_has_no_more_bytes_than_are_kept(text, limit, max_bytes):
    journal = Journal(0, limit=limit, max_bytes=max_bytes)
    for number in range(2 * limit):
        journal.append(f"{number} {text}", "info", now=START)
        if number % 50 == 0:
            journal.absorb()
    journal.absorb()
    assert max_bytes / 3 < count_bytes(journal) <= max_bytes or len(read_lines(journal)) > limit
    assert read_lines(journal)[-1].startswith(f"{2 * limit - 1} ")


def test_each_page_may_have_a_line_of_fifty_however_few_bytes_are_kept():
    journal = Journal(0, limit=LIMIT, max_bytes=1)
    for _ in range(LIMIT // 10):
        journal.append("\U0001f680" * MAX_LINE_LENGTH, "\U0001f680" * 20, now=START)
        journal.absorb()
    assert LIMIT < count_bytes(journal) < 24 * LIMIT
    assert all(line.startswith("\U0001f680" * 50) and line.endswith("…") for line in read_lines(journal))


@pytest.mark.parametrize("length", [10, 100, 900])
def test_what_waits_has_no_more_bytes_than_are_kept(length):
    journal = Journal(0, limit=LIMIT, max_bytes=100_000)
    for number in range(3 * LIMIT):
        journal.append(f"{number:0{length}}", "info", now=START)
    journal.absorb()
    first, *lines = read_lines(journal)
    assert first == f"Dropped lines: {3 * LIMIT - len(lines)} (this task logs faster than viewers can read)"
    assert [int(text) for text in lines] == list(range(3 * LIMIT - len(lines), 3 * LIMIT))
    assert 60_000 < count_bytes(journal) < 100_000


# --- jobs that log without pause ---


def test_job_that_logs_without_pause_has_stored_what_is_kept_and_half_of_it_a_second():
    journal = Journal(0, limit=LIMIT, max_bytes=BYTES)
    for look in range(100):
        log_numbers(journal, *range(LIMIT))
        logged = journal.absorb(monotonic=look / 10)
    assert LIMIT * 5.8 < logged < LIMIT * 6


def test_job_that_logs_long_lines_without_pause_has_stored_no_more_bytes():
    journal = Journal(0, limit=LIMIT, max_bytes=262_144)
    written = 0
    for look in range(50):
        for _ in range(20):
            journal.append("\U0001f680" * MAX_LINE_LENGTH, "info", now=START)
        journal.absorb(monotonic=look / 10)
        written += count_bytes(journal)
        journal.pages.clear()
    assert written < 262_144 * 5 * 1.2, "half of what is kept a second, and as much again of pages with little news"


def test_lines_that_are_dropped_are_counted_where_they_were():
    journal = Journal(0, limit=100, max_bytes=BYTES)
    stored: dict[int, str] = {}
    for look in range(50):
        log_numbers(journal, *range(look * 30, look * 30 + 30))
        journal.absorb(monotonic=look / 10)
        stored |= find_stored(journal)
    journal.absorb()
    lines, expected = list((stored | find_stored(journal)).values()), 0
    assert sum(line.startswith("Dropped lines: ") for line in lines) > 3
    for line in lines:
        if line.isdigit():
            assert int(line) == expected
        expected += 1 if line.isdigit() else int(line.split()[2])
    assert expected == 1500


def test_burst_of_as_much_as_is_kept_is_stored_at_once():
    journal = Journal(0, limit=LIMIT, max_bytes=BYTES)
    log_numbers(journal, *range(LIMIT - 1))
    assert journal.absorb(monotonic=0) == LIMIT - 1
    assert not journal.holds_back


def test_what_is_held_back_comes_by_and_by_and_nothing_is_dropped():
    journal = Journal(0, limit=LIMIT, max_bytes=BYTES)
    log_numbers(journal, *range(900))
    journal.absorb(monotonic=0)
    log_numbers(journal, *range(900, 1800))
    assert journal.absorb(monotonic=1) == 900 + 600
    assert journal.holds_back
    assert journal.absorb(monotonic=2) == 1800
    assert read_lines(journal)[-1] == "1799"


@pytest.mark.parametrize(("lines", "text"), [(LIMIT - 1, "x"), (200, "x" * 1000)], ids=["lines", "bytes"])
def test_long_silence_allows_no_more_at_once_than_is_kept(lines, text):
    journal = Journal(0, limit=LIMIT, max_bytes=262_144)
    journal.absorb(monotonic=0)
    for _ in range(2):
        for _ in range(lines):
            journal.append(text, "info", now=START)
        journal.absorb(monotonic=1000)
    assert journal.holds_back


def test_one_long_line_leaves_the_room_of_those_that_come_later():
    journal = Journal(0, limit=LIMIT, max_bytes=100_000)
    journal.append("x" * MAX_LINE_LENGTH, "info", now=START)
    journal.absorb()
    for number in range(980):
        journal.append(f"{number:020}", "info", now=START)
    journal.absorb()
    assert read_lines(journal)[1:] == [f"{number:020}" for number in range(980)]


def test_job_that_is_interrupted_while_it_logs_may_log():
    """A handler of a signal runs between any two steps of the job."""
    journal = Journal(0, limit=LIMIT, max_bytes=BYTES)

    class Interrupted(deque[str]):
        def append(self, line: str) -> None:
            super().append(line)
            if len(self) == 1:
                log_numbers(journal, 2)

    journal._waiting.lines = Interrupted()
    thread = threading.Thread(target=log_numbers, args=(journal, 1), daemon=True)
    thread.start()
    thread.join(DEADLINE)
    assert not thread.is_alive()
    assert journal.absorb() == 2


def test_text_with_more_lines_than_are_kept_says_how_many_were_dropped():
    journal = Journal(0, limit=10, max_bytes=BYTES)
    journal.append("\n".join(map(str, range(100))), "info", now=START)
    journal.absorb()
    assert read_lines(journal) == [
        "Dropped lines: 91 (this task logs faster than viewers can read)",
        *map(str, range(91, 100)),
    ]


# --- pages ---


def test_only_pages_with_news_are_to_be_written():
    journal = Journal(0, limit=LIMIT, max_bytes=BYTES)
    log_numbers(journal, *range(PAGE_LINES * 2 + 10))
    journal.absorb()
    assert list(journal.pages) == [0, 1, 2]
    journal.pages.clear()
    log_numbers(journal, 1)
    journal.absorb()
    assert list(journal.pages) == [2]
    assert len(read_lines(journal)) == 11


def test_page_that_is_full_is_not_written_again():
    journal = Journal(0, limit=LIMIT, max_bytes=BYTES)
    log_numbers(journal, *range(PAGE_LINES))
    journal.absorb()
    journal.pages.clear()
    log_numbers(journal, PAGE_LINES)
    journal.absorb()
    assert read_lines(journal) == [str(PAGE_LINES)]


def test_nothing_new_is_nothing_to_write():
    journal = Journal(7, limit=LIMIT, max_bytes=BYTES)
    assert journal.absorb() == 7
    assert journal.pages == {}


@pytest.mark.parametrize(("logged", "offset"), [(0, 0), (1, 50), (50, 50), (51, 100)])
def test_new_attempt_leaves_the_pages_of_its_predecessor_alone(logged, offset):
    journal = Journal(logged, limit=LIMIT, max_bytes=BYTES)
    log_numbers(journal, 1)
    assert journal.absorb() == offset + 1
    (page,) = journal.pages.values()
    assert parse_page(page).offset == offset


def test_what_waits_is_bounded_and_the_latest():
    journal = Journal(0, limit=120, max_bytes=BYTES)
    for number in range(10_000):
        log_numbers(journal, number)
    assert journal.absorb() == 120
    assert read_lines(journal)[1:] == [str(number) for number in range(10_000 - 119, 10_000)]


def test_text_with_more_lines_than_are_kept_is_cut_before_it_is_encoded(monkeypatch):
    encoded = []
    monkeypatch.setattr(
        "tasks_app.reporting.log.encode_json", lambda value: encoded.append(value) or json.dumps(value)
    )
    Journal(0, limit=10, max_bytes=BYTES).append("x\n" * 100_000, "info", now=START)
    assert encoded[2:] == ["x"] * 10


def test_pages_that_cannot_be_written_are_bounded():
    journal = Journal(0, limit=120, max_bytes=BYTES)
    for number in range(10_000):
        log_numbers(journal, number)
        journal.absorb()
    assert len(journal.pages) == 4
    assert read_lines(journal)[-120:] == [str(number) for number in range(10_000 - 120, 10_000)]


def test_line_that_is_logged_meanwhile_has_its_turn_later(monkeypatch):
    """Else a job that logs without a pause would keep the flusher for ever."""
    journal = Journal(0, limit=LIMIT, max_bytes=BYTES)
    log_numbers(journal, *range(PAGE_LINES))

    def log_one_more(number: int, *, limit: int) -> int:
        log_numbers(journal, 1)
        return get_slot(number, limit=limit)

    with monkeypatch.context() as patch:
        patch.setattr("tasks_app.reporting.log.get_slot", log_one_more)
        assert journal.absorb() == PAGE_LINES
    assert journal.absorb() > PAGE_LINES


def test_lines_of_many_threads_are_all_there():
    journal = Journal(0, limit=10_000, max_bytes=BYTES)
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
