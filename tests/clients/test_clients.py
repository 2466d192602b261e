"""The scripts in `clients/`: how they decode a stream, and each as a process of its own against real servers."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from clients import client, sse_client
from clients.client import Event, EventDecoder
from tests.support.scripts import (
    ACCEPTED,
    BUSY,
    GONE,
    HEARTBEAT,
    NEWER_THAN,
    ONE_TASK_SCRIPTS,
    QUEUED,
    RUNNING,
    SCRIPTS,
    SEEN,
    SOON,
    SUCCEEDED,
    Answer,
    Request,
    await_lines,
    chunked_stream,
    get_only_line,
    in_turn,
    make_env,
    open_terminal,
    parse_line,
    run_script,
    serve,
    start_script,
    stream,
)
from tests.support.servers import ROOT, Server, find_free_port, run_daphne
from tests.support.waiting import DEADLINE

# --- the decoder ---

MIXED_STREAM = (
    b"\xef\xbb\xbfretry: 1500\n\n"
    b": a comment\r\n"
    b"id: 7\r\ndata: one\r\ndata:  two\r\ndata\r\n\r\n"
    b"event: log\rid\rdata:\xf0\x9f\x90\x8d \xe2\x80\xa8 \xc3\xa9\r\r"
    b"unknown: field\ndata: {\ndata: }\n\n"
    b"id: 8\nevent: nothing\n\n"
    b"data: unfinished\n"
)
MIXED_EVENTS = [Event("one\n two\n"), Event("\N{SNAKE} \u2028 é", "log"), Event("{\n}")]


@pytest.mark.parametrize("cut", range(len(MIXED_STREAM) + 1))
def test_decoder_gives_the_same_events_wherever_the_bytes_are_cut(cut: int):
    decoder = EventDecoder()
    events = [*decoder.feed(MIXED_STREAM[:cut]), *decoder.feed(MIXED_STREAM[cut:])]
    assert (events, decoder.last_event_id, decoder.retry) == (MIXED_EVENTS, "8", 1.5)


def test_decoder_gives_the_same_events_byte_by_byte():
    assert decode(*(bytes([byte]) for byte in MIXED_STREAM)) == MIXED_EVENTS


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_event_comes_with_its_last_line_end(end: bytes):
    assert decode(b"data: a" + end + end) == [Event("a")]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c"])
def test_only_cr_and_lf_end_a_line(separator: str):
    assert decode(f"data: a{separator}b\n\n".encode()) == [Event(f"a{separator}b")]


def test_data_without_value_is_an_event():
    assert decode(b"data\n\n") == [Event("")]


def test_name_lasts_for_one_event():
    assert decode(b"event: end\ndata: a\n\ndata: b\n\n") == [Event("a", "end"), Event("b")]


def test_bytes_that_are_not_utf_8_are_replaced():
    assert decode(b"data: a\xffb\n\n") == [Event("a\ufffdb")]


@pytest.mark.parametrize("value", [b"soon", b"-1", b"1.5", b"", b"\xc2\xb2"])
def test_retry_that_is_not_digits_is_ignored(value: bytes):
    decoder = EventDecoder()
    assert list(decoder.feed(b"retry: " + value + b"\n\n")) == []
    assert decoder.retry == 2


def test_id_lasts_until_the_next():
    assert get_last_event_id(b"id: 7\ndata: a\n\ndata: b\n\n") == "7"


def test_id_with_null_is_ignored():
    assert get_last_event_id(b"id: 7\ndata: a\n\nid: 8\0\ndata: b\n\n") == "7"


def test_id_of_unfinished_event_is_not_the_last():
    assert get_last_event_id(b"id: 7\ndata: a\n\nid: 8\ndata: b\n") == "7"


def test_unfinished_event_is_void_on_the_next_connection():
    decoder = EventDecoder()
    assert list(decoder.feed(b"id: 7\ndata: a\n\nid: 8\nevent: end\ndata: b\nda")) == [Event("a")]
    decoder.reset()
    assert list(decoder.feed(b"data: c\n\n")) == [Event("c")]
    assert decoder.last_event_id == "7"


def decode(*chunks: bytes) -> list[Event]:
    decoder = EventDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def get_last_event_id(stream: bytes) -> str:
    decoder = EventDecoder()
    assert list(decoder.feed(stream))
    return decoder.last_event_id


# --- the scripts, against the demo site ---

#: The demo site in a process of its own; pytest's own settings module must not leak into it.
DEMO_SITE = {"DJANGO_SETTINGS_MODULE": "progress_site.settings"}


@pytest.fixture(scope="module")
def site() -> Iterator[Server]:
    with run_daphne("progress_site.asgi:application", env=DEMO_SITE) as server:
        yield server


@pytest.fixture
def fragile_site(tmp_path: Path) -> Iterator[Server]:
    """The demo site, to be killed: its viewers are told to reconnect soon."""
    settings = "from progress_site.settings import *\nTASKS_APP = TASKS_APP | {'RETRY_MS': 20}\n"
    (tmp_path / "fragile_settings.py").write_text(settings)
    env = {"DJANGO_SETTINGS_MODULE": "fragile_settings", "PYTHONPATH": str(tmp_path)}
    with run_daphne("progress_site.asgi:application", env=env) as server:
        yield server


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_script_shows_0_to_100(script: str, site: Server):
    done = run_script(script, "--url", site.url, "--arg", "duration=0.5")
    heading, *lines = done.stdout.splitlines()
    numbers = [parse_line(line)[0] for line in lines]
    assert numbers[0] < 100  # how far the task has come until it is looked at is up to the machine
    assert parse_line(lines[-1]) == (100, "Task completed!")
    assert numbers == sorted(numbers)
    assert len(lines) > 3
    assert re.fullmatch(r"Task \w{32}: simulate", heading)
    assert (done.returncode, done.stderr) == (0, "")


def test_each_of_several_tasks_reaches_100(site: Server):
    done = run_script("multiple_task.py", "--url", site.url, "--count", "3", "--kwargs", '{"duration": 0.3}')
    *lines, summary = done.stdout.splitlines()
    last = {line[:3]: parse_line(line[4:]) for line in lines if "] Task " not in line}
    assert last == dict.fromkeys(("[1]", "[2]", "[3]"), (100, "Task completed!"))
    assert summary == "3 of 3 tasks succeeded."
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_failed_task_is_an_error_and_never_100(script: str, site: Server):
    done = run_script(script, "--url", site.url, "--task", "simulate", "--kwargs", '{"duration": -1}')
    assert done.returncode == 1
    assert "failed" in done.stderr
    assert "duration must be between 0 and 3600 seconds, not -1" in done.stderr
    assert "Traceback" not in done.stderr
    assert "100%" not in done.stdout


def test_unknown_task_is_one_line_with_what_the_server_says(site: Server):
    for script in SCRIPTS:
        done = run_script(script, "--url", site.url, "--task", "nonsense")
        assert done.returncode == 3
        assert "answered 400 Bad Request: Unknown task 'nonsense'" in get_only_line(done.stderr)


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_server_is_one_clear_line(script: str):
    url = f"http://127.0.0.1:{find_free_port()}"
    done = run_script(script, "--url", url)
    assert done.returncode == 3
    assert get_only_line(done.stderr).startswith(f"Can't reach {url!r}: ")


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_server_killed_on_the_way_is_a_clear_error(script: str, fragile_site: Server):
    with start_script(script, "--url", fragile_site.url, "--timeout", "0.3") as process:
        await_lines(process, 5 if script == "multiple_task.py" else 1)
        fragile_site.process.kill()
        output, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 3
    for line in errors.splitlines():
        assert line.startswith(f"Lost {fragile_site.url}/task-progress/")
        assert line.endswith(" and gave up after 0.3 s of reconnecting: Connection refused")
    assert errors
    assert "100%" not in output


@pytest.mark.parametrize("script", SCRIPTS)
def test_ctrl_c_ends_with_130_and_says_what_runs_on(script: str, site: Server):
    tasks = 5 if script == "multiple_task.py" else 1
    with start_script(script, "--url", site.url) as process:
        headings = await_lines(process, tasks)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=DEADLINE)
    assert (process.returncode, errors) == (130, "")
    ids = [heading.split()[-2].rstrip(":") for heading in headings]
    expected = f"Task {ids[0]} runs on." if tasks == 1 else "5 tasks run on: "
    last = output.splitlines()[-1]
    assert last.startswith(expected)
    assert [task_id for task_id in ids if task_id not in last] == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_pipe_that_is_closed_ends_the_script_quietly(script: str, site: Server):
    with start_script(script, "--url", site.url, "--kwargs", '{"duration": 3}') as process:
        await_lines(process, 1)
        process.stdout.close()
        assert (process.stderr.read(), process.wait(DEADLINE)) == ("", 141)


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan", ""])
@pytest.mark.parametrize("option", ["--timeout", "--retry"])
def test_seconds_that_are_none_are_refused_by_name(option: str, seconds: str):
    done = run_script("sse_client.py", f"{option}={seconds}")
    assert done.returncode == 2
    assert f"argument {option}: must be a number of seconds, 0 or more, not {seconds!r}" in done.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_arguments_that_are_not_json_are_refused_by_name(script: str):
    done = run_script(script, "--kwargs", "{duration: 1}")
    assert done.returncode == 2
    assert "argument --kwargs: " in done.stderr
    assert "'{duration: 1}'" in done.stderr


def test_count_below_1_is_refused():
    done = run_script("multiple_task.py", "--count", "0")
    assert done.returncode == 2
    assert "--count must be at least 1, not 0" in done.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_does_not_import_tasks_app(script: str):
    code = f"import runpy, sys; runpy.run_path('clients/{script}'); print(sorted(sys.modules))"
    env = make_env() | {"PYTHONPATH": "clients"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert "'json'" in done.stdout
    assert "'tasks_app" not in done.stdout


# --- the scripts, against a server that says just these bytes ---


def follow_with_aiohttp(url: str) -> list[dict[str, Any]]:
    async def collect() -> list[dict[str, Any]]:
        async with client.open_session() as session:
            return [snapshot async for snapshot in client.follow(session, f"{url}/task-progress/abc")]

    return asyncio.run(collect())


def follow_with_requests(url: str) -> list[dict[str, Any]]:
    return list(sse_client.follow(f"{url}/task-progress/abc", 0.001))


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for a server that has not said yet how long to wait."""
    monkeypatch.setattr(EventDecoder, "retry", 0.001)


followers = pytest.mark.parametrize("follow", [follow_with_aiohttp, follow_with_requests])


@pytest.mark.slow
@followers
@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("frame", [stream, chunked_stream])
def test_stream_cut_at_any_byte_shows_each_snapshot_once(follow: Callable[[str], Any], frame: Callable[..., bytes]):
    whole = frame(*NEWER_THAN[None])
    wrong = {}
    with serve(in_turn()) as server:
        for cut in range(len(frame()), len(whole)):
            server.answer = cut_first(whole[:cut], frame)
            seen = [snapshot["progress"] for snapshot in follow(server.url)]
            if seen != [0, 42, 100]:
                wrong[cut] = seen
    assert wrong == {}


def cut_first(first: bytes, frame: Callable[..., bytes]) -> Answer:
    """Answer the first request with `first`, and the next with what is newer than the event it names."""
    answers = iter([first])
    return lambda request: next(answers, None) or frame(*NEWER_THAN[request.last_event_id])


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
@pytest.mark.parametrize("frame", [stream, chunked_stream])
def test_snapshot_is_shown_when_it_has_come_and_not_with_the_next(script: str, frame: Callable[..., bytes]):
    whole, last = frame(RUNNING, SUCCEEDED), frame(SUCCEEDED).removeprefix(frame().removesuffix(b"0\r\n\r\n"))
    shown = threading.Event()

    def answer() -> Iterator[bytes]:
        yield whole.removesuffix(last)
        assert shown.wait(DEADLINE)
        yield last

    with serve(in_turn(answer())) as server, start_script(script, "--url", server.url) as process:
        assert [process.stdout.readline() for _ in range(2)][1] == " 42%  Working\n"
        shown.set()
        assert process.wait(DEADLINE) == 0


@followers
def test_reconnect_names_the_last_event(follow: Callable[[str], Any]):
    with serve(in_turn(stream(SOON, QUEUED), stream(HEARTBEAT), stream(RUNNING), stream(SUCCEEDED))) as server:
        follow(server.url)
        assert [request.last_event_id for request in server.streams] == [None, "1", "1", "18-x"]


@followers
def test_answer_204_ends_the_stream(follow: Callable[[str], Any]):
    with serve(in_turn(stream(SOON, RUNNING), SEEN)) as server:
        assert [snapshot["progress"] for snapshot in follow(server.url)] == [42]


@followers
def test_busy_server_is_asked_again(follow: Callable[[str], Any]):
    with serve(in_turn(stream(SOON, RUNNING), BUSY, BUSY, stream(SUCCEEDED))) as server:
        assert [snapshot["progress"] for snapshot in follow(server.url)] == [42, 100]


@followers
@pytest.mark.usefixtures("_impatient")
def test_silent_connection_is_given_up(follow: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "TIMEOUT", aiohttp.ClientTimeout(total=None, sock_read=0.1))
    monkeypatch.setattr(sse_client, "TIMEOUT", (10, 0.1))
    asked_again = threading.Event()
    is_first = iter([True])

    def answer(request: Request) -> bytes:
        if next(is_first, False):
            assert asked_again.wait(DEADLINE)
            return b""
        asked_again.set()
        return stream(SUCCEEDED)

    with serve(answer) as server:
        assert [snapshot["progress"] for snapshot in follow(server.url)] == [100]


WITH_RETRY = (stream(b"retry: 1234\n", RUNNING), BUSY, stream(b"retry: 50\n", HEARTBEAT), stream(SUCCEEDED))


def test_client_waits_as_long_as_the_server_wants(monkeypatch: pytest.MonkeyPatch):
    waits = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", note)
    with serve(in_turn(*WITH_RETRY)) as server:
        follow_with_aiohttp(server.url)
    assert waits == [1.234, 1.234, 0.05]


@pytest.mark.parametrize(("retry", "expected"), [(None, [1.234, 1.234, 0.05]), (0.5, [0.5] * 3)])
def test_script_waits_as_long_as_the_server_wants_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, retry: float | None, expected: list[float]
):
    waits: list[float] = []
    monkeypatch.setattr(sse_client.time, "sleep", waits.append)
    with serve(in_turn(*WITH_RETRY)) as server:
        list(sse_client.follow(f"{server.url}/task-progress/abc", retry))
    assert waits == expected


def test_stream_has_no_time_limit_but_silence_has():
    assert (client.TIMEOUT.total, client.TIMEOUT.sock_read) == (None, 45)


@pytest.mark.parametrize("script", SCRIPTS)
def test_default_task_is_started_with_an_empty_body(script: str):
    with serve(in_turn(*[stream(SUCCEEDED)] * 5)) as server:
        assert run_script(script, "--url", server.url).returncode == 0
        assert {(request.path, request.body) for request in server.requests if request.method == "POST"} == {
            ("/start-task", b"")
        }


@pytest.mark.parametrize("script", SCRIPTS)
def test_name_and_arguments_are_sent_as_json(script: str):
    with serve(in_turn(*[stream(SUCCEEDED)] * 5)) as server:
        run_script(script, "--url", server.url, "--task", "simulate", "--kwargs", '{"duration": 3}')
        assert json.loads(server.requests[0].body) == {"task": "simulate", "kwargs": {"duration": 3}}


@pytest.mark.parametrize("script", SCRIPTS)
def test_site_below_a_path_is_followed_there(script: str):
    accepted = ACCEPTED.replace(b"/task-progress", b"/below/task-progress")
    with serve(lambda request: accepted if request.method == "POST" else stream(SUCCEEDED)) as server:
        assert run_script(script, "--url", f"{server.url}/below/").returncode == 0
        assert {request.path for request in server.requests} == {"/below/start-task", "/below/task-progress/abc"}


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_snapshots_are_printed_one_a_line_and_the_last_once(script: str):
    with serve(in_turn(stream(SOON, QUEUED, RUNNING, SUCCEEDED))) as server:
        assert run_script(script, "--url", server.url).stdout == "Task abc\n  0%  Queued\n 42%  Working\n100%  Done\n"


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_status_with_line_ends_and_control_characters_is_one_harmless_line(script: str):
    nasty = b'data: {"progress":9,"status":"a\\nb\\r\\u001b[2Jc\\u2028d \xf0\x9f\x90\x8d","state":"running"}\n\n'
    with serve(in_turn(stream(nasty, SUCCEEDED))) as server:
        assert run_script(script, "--url", server.url).stdout.splitlines()[1] == "  9%  a b  [2Jc d \N{SNAKE}"


@pytest.mark.parametrize("state", ["failed", "cancelled", "lost"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_every_end_but_success_is_an_error_that_names_it(script: str, state: str):
    end = b'data: {"progress":42,"status":"Working","state":"%s"}\n\n' % state.encode()
    with serve(in_turn(*[stream(end)] * 5)) as server:
        done = run_script(script, "--url", server.url)
    assert done.returncode == 1
    assert get_only_line(done.stderr) == f"The task ended as {state!r}"


@pytest.mark.parametrize("script", SCRIPTS)
def test_task_that_is_gone_after_a_restart_is_one_clear_line(script: str):
    with serve(lambda request: restart_without_tasks(request)) as server:
        done = run_script(script, "--url", server.url, *(["--retry", "0"] if script == "sse_client.py" else []))
        url = f"{server.url}/task-progress/abc"
    assert done.returncode == 3
    assert get_only_line(done.stderr) == f"GET {url} answered 404 Not Found: There is no task 'abc'."


def restart_without_tasks(request: Request) -> bytes:
    if request.method == "POST":
        return ACCEPTED
    return GONE if request.last_event_id else stream(SOON, RUNNING)


@pytest.mark.parametrize("script", SCRIPTS)
def test_page_instead_of_a_stream_is_one_clear_line(script: str):
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<p>Log in"
    with serve(in_turn(*[page] * 5)) as server:
        done = run_script(script, "--url", server.url, "--timeout", "0")
    assert done.returncode == 3
    assert "answered 200 OK (text/html" in get_only_line(done.stderr)


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_server_that_stays_away_is_given_up_when_the_time_is_over(script: str):
    answers = chain([stream(SOON, RUNNING)], repeat(BUSY))
    with serve(lambda request: ACCEPTED if request.method == "POST" else next(answers)) as server:
        done = run_script(script, "--url", server.url, "--timeout", "0.2")
        assert len(server.streams) > 1
    assert done.returncode == 3
    assert " gave up after 0.2 s of reconnecting: the server answered 503" in get_only_line(done.stderr)


def test_several_tasks_are_followed_at_once():
    all_are_open = threading.Barrier(3, timeout=DEADLINE)

    def answer(request: Request) -> bytes:
        if request.method == "POST":
            return ACCEPTED
        all_are_open.wait()
        return stream(SUCCEEDED)

    with serve(answer) as server:
        done = run_script("multiple_task.py", "--url", server.url, "--count", "3")
    assert done.stdout.splitlines()[-1] == "3 of 3 tasks succeeded."


def test_task_that_can_not_start_does_not_stop_the_others():
    starts = iter([ACCEPTED, BUSY, ACCEPTED])

    def answer(request: Request) -> bytes:
        return next(starts) if request.method == "POST" else stream(SUCCEEDED)

    with serve(answer) as server:
        done = run_script("multiple_task.py", "--url", server.url, "--count", "3")
    assert done.returncode == 3
    assert done.stdout.count("100%  Done") == 2
    assert done.stdout.splitlines()[-1] == "2 of 3 tasks succeeded."
    assert "answered 503 Service Unavailable" in get_only_line(done.stderr)


@pytest.mark.parametrize("script", SCRIPTS)
def test_terminal_shows_a_bar(script: str):
    with (
        serve(in_turn(*[stream(SOON, QUEUED, RUNNING, SUCCEEDED)] * 5)) as server,
        open_terminal(script, "--url", server.url) as terminal,
    ):
        status = terminal.wait()
    assert status == 0
    assert "100% ━━━" in terminal.output
    assert "Done" in terminal.output
