"""The scripts of `clients/` as processes of their own, and a server that answers them byte by byte."""

import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.servers import ROOT
from tests.support.waiting import DEADLINE, wait_until

SCRIPTS = ("client.py", "multiple_task.py", "sse_client.py")
ONE_TASK_SCRIPTS = ("client.py", "sse_client.py")

ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
    b'{"task_id": "abc", "progress_url": "/task-progress/abc"}'
)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
GONE = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\r\n"
    b'{"title": "Not Found", "status": 404, "detail": "There is no task \'abc\'."}'
)
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
SEEN = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"

SOON = b"retry: 1\n"
QUEUED = b'id: 1\ndata: {"progress":0,"status":"Queued","state":"queued"}\n\n'
RUNNING = b': keep-alive\nid: 18-x\ndata: {"progress":42,"status":"Working","state":"running"}\n\n'
SUCCEEDED = (
    b'id: 31\ndata: {"progress":100,"status":"Done","state":"succeeded"}\n\n'
    b'id: 31\nevent: end\ndata: {"progress":100,"status":"Done","state":"succeeded"}\n\n'
)
HEARTBEAT = b"event: heartbeat\ndata: {}\n\n"
NEWER_THAN = {None: (SOON, QUEUED, RUNNING, SUCCEEDED), "1": (SOON, RUNNING, SUCCEEDED), "18-x": (SOON, SUCCEEDED)}


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    last_event_id: str | None
    body: bytes
    authorization: str | None = None


#: An answer in parts is sent part by part, so that a test may wait between them.
Answer = Callable[[Request], bytes | Iterable[bytes]]


class ScriptedServer(ThreadingHTTPServer):
    """Answers each request with the bytes that `answer` returns, and closes the connection."""

    daemon_threads = False  # so that closing the server waits for them

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), ScriptedHandler)
        self.answer = answer
        self.requests: list[Request] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    @property
    def streams(self) -> list[Request]:
        return [request for request in self.requests if request.method == "GET"]


class ScriptedHandler(BaseHTTPRequestHandler):
    server: ScriptedServer

    def respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        last_event_id, authorization = (self.headers.get(name) for name in ("Last-Event-ID", "Authorization"))
        request = Request(self.command, self.path, last_event_id, body, authorization)
        self.server.requests.append(request)
        answer = self.server.answer(request)
        for part in [answer] if isinstance(answer, bytes) else answer:
            self.wfile.write(part)

    do_GET = do_POST = respond  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """The tests look at `requests` instead."""


@contextmanager
def serve(answer: Answer) -> Iterator[ScriptedServer]:
    with ScriptedServer(answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(DEADLINE)


def in_turn(*streams: bytes | Iterable[bytes]) -> Answer:
    """Accept every task, and answer the n-th stream with the n-th of these."""
    remaining = iter(streams)
    return lambda request: ACCEPTED if request.method == "POST" else next(remaining)


def stream(*frames: bytes) -> bytes:
    return STREAM_HEAD + b"\r\n" + b"".join(frames)


def chunked_stream(*frames: bytes) -> bytes:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(frame), frame) for frame in frames)
    return STREAM_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def make_command(script: str) -> list[str]:
    """Return how a script of `clients`, or a command of Django, is run."""
    return [sys.executable, *([f"clients/{script}"] if script.endswith(".py") else ["-m", "django", script])]


def run_script(script: str, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    command = [*make_command(script), *arguments]
    pipes = {"capture_output": True, "encoding": "utf-8"}
    return subprocess.run(command, cwd=ROOT, env=make_env() | env, timeout=DEADLINE, **pipes)


#: A process that was started in the background may ignore SIGINT, and so would its children.
HEED_SIGINT = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


@contextmanager
def start_script(script: str, *arguments: str, **env: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", HEED_SIGINT, *make_command(script), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=make_env() | env, encoding="utf-8", **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


class Terminal:
    """A terminal in which a script runs.

    Args:
        size: its columns and lines.
        term: what it calls itself.
    """

    def __init__(
        self, script: str, *arguments: str, size: tuple[int, int] = (120, 24), term: str = "xterm", **env: str
    ) -> None:
        self._master, slave = pty.openpty()
        columns, lines = map(str, size)
        env = make_env() | {"TERM": term, "COLUMNS": columns, "LINES": lines} | env
        command = [sys.executable, "-c", HEED_SIGINT, *make_command(script), *arguments]
        pipes = {"stdout": slave, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, encoding="utf-8", **pipes)
        os.close(slave)
        self._output = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def output(self) -> str:
        """All that was written, control codes included."""
        return self._output.decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        """All lines that were drawn, one after the other, without control codes and trailing spaces."""
        drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.output)
        return [line.rstrip() for line in re.split("[\r\n]+", drawn) if line.strip()]

    def wait_for(self, text: str) -> None:
        """Wait until a text is drawn."""
        wait_until(lambda: text in "\n".join(self.lines), f"{text!r} is drawn; {self.lines} was")

    def wait(self) -> int:
        """Wait for the end of the script and return its exit status."""
        self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        return self.process.returncode

    def close(self) -> None:
        """Close the pipes to the script."""
        assert self.process.stderr is not None
        self.process.stderr.close()
        os.close(self._master)

    def _read(self) -> None:
        try:
            while data := os.read(self._master, 4096):
                self._output += data
        except OSError:  # Linux says so where others report the end: the other side is closed
            pass


@contextmanager
def open_terminal(
    script: str, *arguments: str, size: tuple[int, int] = (120, 24), term: str = "xterm", **env: str
) -> Iterator[Terminal]:
    """Run a script in a terminal; it is killed if it has not ended by the end of the block."""
    terminal = Terminal(script, *arguments, size=size, term=term, **env)
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.wait()
        terminal.close()


def make_env() -> dict[str, str]:
    """Return what the scripts may see; output is buffered as usual, so that a missing flush shows."""
    return {**os.environ, "PYTHONUNBUFFERED": "", "PYTHONUTF8": "1", "NO_PROXY": "*", "NO_COLOR": "1"}


def await_lines(process: "subprocess.Popen[str]", tasks: int) -> list[str]:
    """Wait until the script has printed something of this many tasks; return the first line of each."""
    assert process.stdout is not None
    seen: dict[str, str] = {}
    while len(seen) < tasks:
        line = process.stdout.readline()
        assert line, f"the script ended: {process.communicate()!r}"
        seen.setdefault(line[:3] if tasks > 1 else "", line)
    return list(seen.values())


def parse_line(line: str) -> tuple[int, str]:
    """` 42%  Working` → 42, "Working"."""
    progress, _, status = line.partition("%  ")
    return int(progress), status


def get_only_line(text: str) -> str:
    (line,) = text.splitlines()
    return line
