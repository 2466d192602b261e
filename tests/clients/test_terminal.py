"""The bars of the scripts, in a real terminal."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count

import pytest

from tests.support.readme import find_block
from tests.support.scripts import (
    ACCEPTED,
    BUSY,
    ONE_TASK_SCRIPTS,
    QUEUED,
    SCRIPTS,
    SUCCEEDED,
    Answer,
    Request,
    Terminal,
    in_turn,
    open_terminal,
    run_script,
    serve,
    stream,
)
from tests.support.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.slow

IMPORT = {
    "progress": 42,
    "status": "Importing",
    "state": "running",
    "task": "shop.tasks.import_orders",
    "percent": 42.31,
    "current": 42_310,
    "total": 100_000,
    "unit": "rows",
    "rate": 13_600.0,
    "eta": 4.2,
}
SCAN = IMPORT | {"progress": 0, "status": "Scanning", "percent": None, "current": 1284, "total": None, "unit": "files"}
DONE = SCAN | {
    "progress": 100,
    "percent": 100.0,
    "state": "succeeded",
    "started_at": "2026-03-01T09:41:02.000Z",
    "finished_at": "2026-03-01T09:42:03.500Z",
}


def event(snapshot: dict[str, object]) -> bytes:
    return f"data: {json.dumps(snapshot)}\n\n".encode()


@contextmanager
def show(
    answer: Answer, script: str, *options: str, size: tuple[int, int] = (120, 24), term: str = "xterm"
) -> Iterator[Terminal]:
    """Show in a terminal what a script makes of a server's answers."""
    with (
        serve(answer) as server,
        open_terminal(script, "--url", server.url, *options, size=size, term=term) as terminal,
    ):
        yield terminal


class Gate:
    """A stream that ends with success once the test has seen enough."""

    def __init__(self, *snapshots: dict[str, object]) -> None:
        self._snapshots = snapshots
        self._opened = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield stream(*map(event, self._snapshots))
        assert self._opened.wait(DEADLINE)
        yield SUCCEEDED

    def open(self) -> None:
        self._opened.set()


def draw(script: str, snapshot: dict[str, object], text: str, *, columns: int = 120) -> str:
    """Return the line with this text that the script draws of a snapshot."""
    gate = Gate(snapshot)
    with show(in_turn(gate), script, size=(columns, 24)) as terminal:
        terminal.wait_for(text)
        gate.open()
        assert terminal.wait() == 0
    return next(line for line in terminal.lines if text in line)


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_bar_has_count_rate_and_time_left_beside_it(script: str):
    line = draw(script, IMPORT, "Importing")
    assert line.startswith(" 42% ━━━")
    assert line.endswith(" 42,310 / 100,000 rows · 13,600 rows/s · 0:05 left  Importing")


def test_bar_of_a_command_is_that_of_the_document():
    *_, bar = find_block("console", "watch_task", document="docs/reference/commands.md").splitlines()
    line = draw("client.py", IMPORT, "Importing")
    beside = slice(45, None)  # the bar: with colours, what is not done is drawn as well
    assert (line[:5], line[beside]) == (bar[:5], bar[beside])


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_unknown_total_has_a_count_and_no_percentage(script: str):
    line = draw(script, SCAN, "Scanning")
    assert "1,284 files · 13,600 files/s" in line
    assert "%" not in line


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_bar_of_an_unknown_total_moves(script: str):
    gate = Gate(SCAN)
    with serve(in_turn(gate)) as server, open_terminal(script, "--url", server.url) as terminal:
        # Nothing of the task changes, so lines that differ are drawn by the bar alone.
        wait_until(lambda: len({line for line in terminal.lines if "Scanning" in line}) > 2, "the bar moves")
        gate.open()
        assert terminal.wait() == 0


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_38_columns_keep_percentage_bar_and_time_left(script: str):
    line = draw(script, IMPORT, "left", columns=38)
    assert line.startswith(" 42% ━━━━━")
    assert "0:05 left" in line
    assert len(line) <= 38


def test_38_columns_keep_percentage_and_bar_of_several_tasks_with_labels():
    gates = [Gate(IMPORT | {"label": "Import orders-2026.csv"}) for _ in range(2)]
    with show(in_turn(*gates), "multiple_task.py", "--count", "2", size=(38, 24)) as terminal:
        terminal.wait_for(" 42% ━━━")
        for gate in gates:
            gate.open()
        assert terminal.wait() == 0
    assert {line[:3] for line in terminal.lines if " 42% ━━━━━" in line} <= {"[1]", "[2]"}
    assert [line for line in terminal.lines if len(line) > 38] == []


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_id_and_names_of_the_task_stand_above_its_bar(script: str):
    gate = Gate(IMPORT | {"label": "Import orders"})
    gate.open()
    with show(in_turn(gate), script) as terminal:
        assert terminal.wait() == 0
    assert "Task abc: Import orders · shop.tasks.import_orders" in terminal.lines


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_log_lines_stand_above_the_bar(script: str):
    log = b'event: log\ndata: {"lines":[{"t":"2026-03-01T09:41:02.000Z","level":"info","text":"opened"}]}\n\n'
    with show(
        in_turn(chain([stream(log)], [b"".join(map(event, [IMPORT]))], [SUCCEEDED])), script, "--logs"
    ) as terminal:
        assert terminal.wait() == 0
    assert "09:41:02 info     opened" in terminal.lines


def test_rows_stand_in_the_order_of_their_numbers_whoever_is_heard_of_first():
    last_is_shown = threading.Event()
    starts = count(1)

    def answer(request: Request) -> object:
        if request.method == "POST":
            return ACCEPTED.replace(b"abc", b"task-%d" % next(starts))
        return hold() if request.path.endswith("-1") else stream(SUCCEEDED)

    def hold() -> Iterator[bytes]:
        assert last_is_shown.wait(DEADLINE)
        yield stream(SUCCEEDED)

    with show(answer, "multiple_task.py", "--count", "3") as terminal:
        wait_until(lambda: terminal.output.count("100%") >= 2, "two tasks are shown")
        last_is_shown.set()
        assert terminal.wait() == 0
    assert [line[:3] for line in terminal.lines[-4:-1]] == ["[1]", "[2]", "[3]"]


def test_more_tasks_than_lines_are_summed_up():
    answers = in_turn(*[stream(QUEUED, SUCCEEDED)] * 20)
    with show(answers, "multiple_task.py", "--count", "20", size=(100, 8)) as terminal:
        assert terminal.wait() == 0
    *rows, rest, summary = terminal.lines[-8:]
    assert [line.partition("]")[0] for line in rows] == [f"[{number}" for number in range(1, 7)]
    assert (rest, summary) == ("and 14 more: 14 succeeded", "20 of 20 tasks succeeded.")


def test_tasks_without_a_line_that_could_not_start_are_summed_up_as_given_up():
    with show(lambda request: BUSY, "multiple_task.py", "--count", "9", size=(60, 4)) as terminal:
        assert terminal.wait() == 3
    assert "and 7 more: 7 given up" in terminal.lines


def test_task_that_could_not_start_is_not_shown_as_starting():
    with show(lambda request: BUSY, "client.py") as terminal:
        assert terminal.wait() == 3
    assert terminal.lines[-1].endswith(" Not started")


@pytest.mark.parametrize("script", SCRIPTS)
def test_terminal_that_can_not_draw_gets_lines(script: str):
    with show(in_turn(*[stream(SUCCEEDED)] * 5), script, term="dumb") as terminal:
        assert terminal.wait() == 0
    assert "100%  Done" in terminal.output
    assert "\x1b" not in terminal.output


# --- elsewhere ---


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_pipe_gets_a_line_for_each_change_and_none_for_the_rest(script: str):
    same = [IMPORT | {"current": current} for current in range(42_000, 42_020)]
    with serve(in_turn(stream(*map(event, [*same, IMPORT | {"progress": 43}]), SUCCEEDED))) as server:
        lines = run_script(script, "--url", server.url).stdout.splitlines()
    assert lines[1:] == [" 42%  Importing", " 43%  Importing", "100%  Done"]


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_pipe_gets_the_count_of_an_unknown_total_where_its_first_two_digits_change(script: str):
    counts = [SCAN | {"current": current} for current in (1, 2, 120, 121, 124, 130, 1284)]
    with serve(in_turn(stream(*map(event, counts), event(DONE)))) as server:
        lines = run_script(script, "--url", server.url).stdout.splitlines()
    counts_shown = ["1 file", "2 files", "120 files", "130 files", "1,284 files"]
    expected = [f"  ?%  Scanning · {text}" for text in counts_shown]
    assert lines[1:] == [*expected, "100%  Done · 1,284 files in 1:02"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_last_words_of_the_job_are_how_it_ended(script: str):
    with serve(in_turn(*[stream(event(DONE | {"conclusion": "Nothing new"}))] * 5)) as server:
        assert "100%  Nothing new\n" in run_script(script, "--url", server.url).stdout
