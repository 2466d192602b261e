"""What the scripts say and do while the site is away, refuses, or something else answers in its place."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from common.reconnection import Reconnection

from clients import client, sse_client
from clients.client import EventDecoder
from tests.clients.test_clients import DEMO_SITE, SCRIPTS
from tests.support.nginx import needs_nginx, run_nginx
from tests.support.scripts import (
    ACCEPTED,
    BUSY,
    GONE,
    ONE_TASK_SCRIPTS,
    RUNNING,
    SOON,
    SUCCEEDED,
    Request,
    chunked_stream,
    get_only_line,
    in_turn,
    open_terminal,
    run_script,
    serve,
    start_script,
    stream,
)
from tests.support.servers import find_free_port, run_daphne
from tests.support.waiting import DEADLINE

pytestmark = pytest.mark.slow


def answer(status: str, content_type: str, body: str = "", **headers: str) -> bytes:
    """Return the bytes of a response that is no stream."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", body]).encode()


PAGE = "<!doctype html><title>Hello</title>"
LOG_IN = '{"title": "Unauthorized", "status": 401, "detail": "Log in first."}'

#: What may answer in place of a stream, and what the scripts say of it.
REFUSALS = {
    "nginx": (answer("502 Bad Gateway", "text/html", PAGE), "the server answered 502 Bad Gateway (text/html)"),
    "login": (
        answer("302 Found", "text/html", Location="/login/?next=/"),
        "the server answered 302 Found, a redirect to '/login/?next=/'",
    ),
    "logged-out": (
        answer("401 Unauthorized", "application/problem+json", LOG_IN),
        "the server answered 401 Unauthorized: Log in first.",
    ),
    "busy": (
        answer("429 Too Many Requests", "text/html", PAGE, Retry_After="0"),
        "the server answered 429 Too Many Requests (text/html)",
    ),
    "broken": (
        answer("500 Internal Server Error", "text/html; charset=utf-8", PAGE),
        "the server answered 500 Internal Server Error (text/html)",
    ),
    "cut": (
        answer("503 Service Unavailable", "application/problem+json", '{"det'),
        "the server answered 503 Service Unavailable (application/problem+json)",
    ),
    "portal": (answer("200 OK", "text/html", PAGE), "the server answered 200 OK (text/html)"),
    "proxy": (answer("404 Not Found", "text/html", PAGE), "the server answered 404 Not Found (text/html)"),
}


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_refusals_are_said_and_the_script_goes_on(script: str):
    answers = [refusal for refusal, _ in REFUSALS.values()]
    with serve(in_turn(stream(SOON, RUNNING), *answers, stream(SUCCEEDED))) as server:
        done = run_script(script, "--url", server.url)
        assert {request.path for request in server.requests} == {"/start-task", "/task-progress/abc"}
    reasons = ["the stream ended before the task did", *(reason for _, reason in REFUSALS.values())]
    lines = done.stdout.splitlines()
    assert lines[2 : 2 + len(reasons)] == [f" 42%  Reconnecting… {reason}" for reason in reasons]
    assert (lines[-1], done.returncode, done.stderr) == ("100%  Done", 0, "")


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_script_that_has_its_stream_back_shows_the_task_as_it_was(script: str):
    back = threading.Event()

    def resume() -> Iterator[bytes]:
        yield stream(b"retry: 1\n")
        assert back.wait(DEADLINE)
        yield SUCCEEDED

    with (
        serve(in_turn(stream(SOON, RUNNING), resume())) as server,
        start_script(script, "--url", server.url) as process,
    ):
        lines = [process.stdout.readline().rstrip("\n") for _ in range(4)]
        back.set()
        process.communicate(timeout=DEADLINE)
    assert lines[1::2] == [" 42%  Working"] * 2


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_reason_that_stays_is_said_once(script: str):
    with serve(in_turn(stream(SOON, RUNNING), *[BUSY] * 20, stream(SUCCEEDED))) as server:
        done = run_script(script, "--url", server.url)
    assert done.stdout.count("503 Service Unavailable") == 1


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_script_reconnects_more_often_than_a_restart_takes(script: str):
    with serve(in_turn(stream(SOON, RUNNING), *[BUSY] * 50, stream(SUCCEEDED))) as server:
        done = run_script(script, "--url", server.url)
    assert done.stdout.splitlines()[-1] == "100%  Done"


@pytest.mark.parametrize("script", SCRIPTS)
def test_redirect_of_the_start_is_one_clear_line(script: str):
    with serve(lambda request: answer("301 Moved", "text/html", Location="https://example.org/start-task")) as server:
        done = run_script(script, "--url", server.url)
        assert {(request.method, request.path) for request in server.requests} == {("POST", "/start-task")}
    assert done.returncode == 3
    expected = "/start-task answered 301 Moved, a redirect to 'https://example.org/start-task'"
    assert get_only_line(done.stderr).endswith(expected)


@pytest.mark.parametrize("script", SCRIPTS)
def test_connection_error_is_told_in_plain_words(script: str):
    url = f"http://127.0.0.1:{find_free_port()}"
    assert get_only_line(run_script(script, "--url", url).stderr) == f"Can't reach {url!r}: Connection refused"


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_terminal_shows_that_the_client_reconnects(script: str):
    shown = threading.Event()

    def refuse(request: Request) -> bytes:
        return ACCEPTED if request.method == "POST" else next(answers)

    refusal = REFUSALS["nginx"][0]
    answers = chain([stream(SOON, RUNNING)], iter(lambda: stream(SUCCEEDED) if shown.is_set() else refusal, None))
    with serve(refuse) as server, open_terminal(script, "--url", server.url) as terminal:
        terminal.wait_for("Reconnecting… the server answered 502 Bad Gateway")
        shown.set()
        assert terminal.wait() == 0
    assert terminal.lines[-1].startswith("100%")
    assert terminal.lines[-1].endswith(" Done")


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_ctrl_c_while_the_site_is_away_does_not_claim_to_know_that_the_task_runs(script: str):
    answers = chain([stream(SOON, RUNNING)], repeat(BUSY))
    with (
        serve(lambda request: ACCEPTED if request.method == "POST" else next(answers)) as server,
        start_script(script, "--url", server.url) as process,
    ):
        while "503" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=DEADLINE)
    assert output.splitlines()[-1] == "Task abc runs on, as far as is known."


@needs_nginx
@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_restart_behind_nginx_is_said_until_the_app_itself_answers(script: str, tmp_path: Path):
    """The demo site keeps its tasks in its own memory, so the one that comes back has none."""
    port = find_free_port()
    with run_nginx(tmp_path, port, port) as proxy, ExitStack() as stack:
        with run_daphne("progress_site.asgi:application", env=DEMO_SITE, port=port) as server:
            process = stack.enter_context(start_script(script, "--url", proxy.url))
            assert process.stdout.readline().startswith("Task ")
            server.process.kill()
            lines = iter(process.stdout.readline, "")
            assert any("Reconnecting… the server answered 502 Bad Gateway (text/html)" in line for line in lines)
        with run_daphne("progress_site.asgi:application", env=DEMO_SITE, port=port):
            _, errors = process.communicate(timeout=DEADLINE)
    assert " answered 404 Not Found: There is no task " in get_only_line(errors)


# --- in this process ---


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds for which the followers wanted to wait; they do not."""
    noted: list[float] = []

    async def note(seconds: float) -> None:
        noted.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", note)
    monkeypatch.setattr(sse_client.time, "sleep", noted.append)
    monkeypatch.setattr(EventDecoder, "retry", 2.0)
    return noted


def follow_with_aiohttp(url: str, reconnection: Reconnection | None = None) -> list[dict[str, Any]]:
    async def collect() -> list[dict[str, Any]]:
        async with client.open_session() as session:
            return [snapshot async for snapshot in client.follow(session, f"{url}/task-progress/abc", reconnection)]

    return asyncio.run(collect())


def follow_with_requests(url: str, reconnection: Reconnection | None = None) -> list[dict[str, Any]]:
    return list(sse_client.follow(f"{url}/task-progress/abc", None, reconnection))


followers = pytest.mark.parametrize("follow", [follow_with_aiohttp, follow_with_requests])


@followers
@pytest.mark.parametrize("refusal", [*(refusal for refusal, _ in REFUSALS.values()), b""], ids=[*REFUSALS, "nothing"])
def test_refusal_of_the_first_request_is_no_end(follow: Callable[[str], Any], refusal: bytes, waits: list[float]):
    with serve(in_turn(refusal, stream(SUCCEEDED))) as server:
        assert [snapshot["progress"] for snapshot in follow(server.url)] == [100]


@followers
@pytest.mark.parametrize(
    ("header", "expected"), [("7", 7.0), ("1", 2.0), ("", 2.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 2.0), ("-3", 2.0)]
)
def test_retry_after_is_waited_for(follow: Callable[[str], Any], header: str, expected: float, waits: list[float]):
    refusal = answer("429 Too Many Requests", "application/problem+json", '{"detail": "Later."}', Retry_After=header)
    with serve(in_turn(refusal, stream(SUCCEEDED))) as server:
        follow(server.url)
    assert waits == [expected]


@followers
@pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "404 Not Found", "501 Not Implemented"])
def test_refusal_of_the_app_itself_is_final(follow: Callable[[str], Any], status: str, waits: list[float]):
    refusal = answer(status, "application/problem+json", '{"detail": "Never."}')
    with serve(in_turn(refusal)) as server, pytest.raises(Exception, match=f"answered {status}: Never."):
        follow(server.url)
    assert waits == []


@followers
def test_silence_and_cuts_are_told_in_plain_words(
    follow: Callable[..., Any], waits: list[float], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(client, "TIMEOUT", aiohttp.ClientTimeout(total=None, sock_read=0.1))
    monkeypatch.setattr(sse_client, "TIMEOUT", (10, 0.1))
    asked_again = threading.Event()

    def be_silent() -> Iterator[bytes]:
        yield stream(RUNNING)
        assert asked_again.wait(DEADLINE)

    def cut() -> Iterator[bytes]:
        asked_again.set()
        yield chunked_stream(RUNNING).removesuffix(b"0\r\n\r\n")

    reasons: list[str | None] = []
    with serve(in_turn(be_silent(), cut(), stream(SUCCEEDED))) as server:
        follow(server.url, Reconnection(tell=reasons.append))
    assert reasons == ["the server is silent", None, "the stream ended before the task did", None]


@followers
def test_task_that_is_gone_is_final_after_an_outage(follow: Callable[[str], Any], waits: list[float]):
    refusal = REFUSALS["nginx"][0]
    with (
        serve(in_turn(stream(RUNNING), refusal, refusal, GONE)) as server,
        pytest.raises(Exception, match="There is no task 'abc'"),
    ):
        follow(server.url)
    assert waits == [2.0] * 3
