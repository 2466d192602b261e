"""A site that answers what its test says, byte by byte: what a real server does only when nobody looks."""

import json
import mimetypes
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page

from tests.support.servers import ROOT
from tests.support.waiting import DEADLINE, wait_until

STATIC = ROOT / "tasks_app"

STYLE = b"""
:root { color-scheme: light dark; }
body { margin: 0; padding: 16px; background: light-dark(#fbfbf9, #111114); font-family: Inter, system-ui, sans-serif; }
main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 12px; max-width: 34.25rem; }
task-progress { --task-progress-margin: 0; }
h1 { margin: 0; color: light-dark(#1d1c1a, #ececf0); font-size: 1rem; }
"""

RUNNING: Mapping[str, Any] = {
    "progress": 42,
    "status": "Importing rows",
    "task_id": "t",
    "task": "shop.tasks.import_customers",
    "state": "running",
    "seq": 7,
    "percent": 42.31,
    "current": None,
    "total": None,
    "unit": None,
    "rate": None,
    "eta": None,
    "expected": None,
    "stages": [],
    "attempt": 1,
    "queue_position": None,
    "created_at": "2026-03-01T09:41:00.000Z",
    "started_at": "2026-03-01T09:41:02.000Z",
    "updated_at": "2026-03-01T09:41:13.000Z",
    "finished_at": None,
    "cancel_requested": False,
    "stalled": False,
    "meta": {},
    "result": None,
    "conclusion": None,
    "error": None,
}

#: What RUNNING becomes when it has succeeded.
DONE: Mapping[str, Any] = {
    **RUNNING,
    "state": "succeeded",
    "progress": 100,
    "percent": 100.0,
    "status": "Completed",
    "seq": 99,
    "finished_at": "2026-03-01T09:42:04.000Z",
}


def make_component(attributes: str = "", **snapshot: Any) -> str:
    """Return the markup of a component that knows this snapshot: RUNNING, with changes."""
    known = {**RUNNING, **snapshot}
    data = json.dumps(known).replace("<", "\\u003c")
    return (
        f'<task-progress task-id="{escape(known["task_id"])}" {attributes}>'
        f'<script type="application/json">{data}</script></task-progress>'
    )


def count_children(**counts: int) -> dict[str, int]:
    """Return the counts of a parent's children."""
    states = dict.fromkeys(("queued", "running", "succeeded", "failed", "cancelled", "lost"), 0) | counts
    return {"total": sum(states.values()), **states}


def encode(snapshot: Mapping[str, Any] = RUNNING, *, event: str = "message", **changes: Any) -> bytes:
    """Return an event whose data is this, with changes."""
    return f"event: {event}\ndata: {json.dumps({**snapshot, **changes})}\n\n".encode()


class StubStream:
    """One stream that a browser has asked for."""

    def __init__(self, query: str) -> None:
        self.query = parse_qs(query)
        self.is_open = True
        self._chunks: queue.Queue[bytes | None] = queue.Queue()

    def send(self, data: bytes) -> None:
        self._chunks.put(data)

    def close(self) -> None:
        self._chunks.put(None)

    def pump(self, write: Any) -> None:
        """Write what is sent, until it is closed or nobody reads."""
        try:
            while (chunk := self._chunks.get()) is not None:
                write(chunk)
        except OSError:
            pass  # the browser has closed it
        finally:
            self.is_open = False


class Stub:
    """The site: its page, and what it has been asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.html = ""
        self.files = {"/page.css": STYLE}
        self.greeting: bytes | None = None
        self.stream_status = 200
        self.is_down = False
        self.snapshots: dict[str, Mapping[str, Any]] = {}
        #: The children of each parent.
        self.children: dict[str, list[Mapping[str, Any]]] = {}
        self.children_queries: list[dict[str, list[str]]] = []
        self.cancel_answer: tuple[int, Mapping[str, Any]] = (202, {})
        #: What answers a cancel instead, and is no endpoint of the app: a proxy, or a page to log in.
        self.cancel_stranger: Callable[[_Handler], None] | None = None
        #: What answers all requests of the app's: a proxy before a dead server, a portal, a page to log in.
        self.stranger: Callable[[_Handler], None] | None = None
        self.refused_token: str | None = None
        #: The status and the token that answer the requests for new tokens, whose tasks are kept.
        self.token_answer: tuple[int, str | None] = (200, None)
        self.token_max_age = 900
        self.token_requests: list[list[str]] = []
        self.streams: list[StubStream] = []
        self.requests: list[tuple[str, str, Mapping[str, str]]] = []

    def show(self, page: Page, *components: str, lang: str = "en", dir: str = "ltr", head: str = "") -> None:
        """Show a page with these components."""
        self.html = (
            f'<!doctype html><html lang="{lang}" dir="{dir}"><meta charset="utf-8"><title>Components</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
            '<link rel="stylesheet" href="/page.css">'
            '<link rel="stylesheet" href="/static/tasks_app/task-progress.css">'
            f'{head}<script type="module" src="/static/tasks_app/task-progress-define.js"></script>'
            f"<main><h1>Components</h1>{''.join(components)}</main></html>"
        )
        page.goto(self.url)
        page.wait_for_function("document.querySelectorAll('task-progress:not(:defined)').length === 0")

    def wait_for_stream(self, index: int = 0) -> StubStream:
        """Return the stream that was asked for as the `index`th."""
        wait_until(lambda: len(self.streams) > index, f"stream {index} is asked for")
        return self.streams[index]

    def find_requests(self, method: str, path: str) -> list[Mapping[str, str]]:
        """Return the headers of each such request."""
        return [headers for used, target, headers in self.requests if (used, target) == (method, path)]

    def answer(self, handler: "_Handler") -> None:
        if self.is_down:
            return  # the connection is closed without a word
        parts = urlsplit(handler.path)
        self.requests.append((handler.command, parts.path, dict(handler.headers)))
        if self.stranger is not None and parts.path.startswith("/task"):
            self.stranger(handler)
        else:
            self.answer_as_the_app(handler)

    def answer_as_the_app(self, handler: "_Handler") -> None:
        parts = urlsplit(handler.path)
        if parts.path == "/task-progress":
            self._stream(handler, parts.query)
        elif parts.path.endswith("/cancel"):
            self._answer_cancel(handler)
        elif parts.path.endswith("/tasks/tokens"):
            self._answer_tokens(handler)
        elif parts.path.endswith("/children"):
            self._answer_children(handler, parts.path.split("/")[-2], parse_qs(parts.query))
        elif parts.path.startswith("/tasks/"):
            snapshot = self.snapshots.get(parts.path.removeprefix("/tasks/"))
            body = json.dumps(snapshot or {}).encode()
            handler.reply(200 if snapshot else 404, "application/json", body)
        elif parts.path.startswith("/static/"):
            handler.reply(200, mimetypes.guess_type(parts.path)[0] or "", (STATIC / parts.path[1:]).read_bytes())
        elif parts.path in self.files:
            handler.reply(200, mimetypes.guess_type(parts.path)[0] or "", self.files[parts.path])
        else:
            handler.reply(200, "text/html", self.html.encode())

    def _answer_children(self, handler: "_Handler", parent: str, query: dict[str, list[str]]) -> None:
        self.children_queries.append(query)
        states, limit = query["state"][0].split(","), int(query["limit"][0])
        found = [child for child in self.children.get(parent, ()) if child["state"] in states]
        body = json.dumps({"children": found[:limit], "total": len(found)}).encode()
        handler.reply(200, "application/json", body)

    def _answer_cancel(self, handler: "_Handler") -> None:
        if self.cancel_stranger is not None:
            self.cancel_stranger(handler)
            return
        is_refused = handler.headers["X-CSRFToken"] == self.refused_token
        status, body = (403, {}) if is_refused else self.cancel_answer
        handler.reply(status, "application/json", json.dumps(body).encode())

    def _answer_tokens(self, handler: "_Handler") -> None:
        task_ids = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))["tasks"]
        status, token = self.token_answer
        answer = {"token": token, "tasks": task_ids if token else [], "max_age": self.token_max_age}
        handler.reply(status, "application/json", json.dumps(answer).encode())
        self.token_requests.append(task_ids)

    def _stream(self, handler: "_Handler", query: str) -> None:
        if self.stream_status != 200:
            handler.reply(self.stream_status, "application/problem+json", b"{}")
            return
        stream = StubStream(query)
        handler.start(200, "text/event-stream")
        if self.greeting is not None:
            stream.send(self.greeting)
        self.streams.append(stream)
        stream.pump(handler.write)


class _Handler(BaseHTTPRequestHandler):
    stub: Stub

    def do_GET(self) -> None:
        self.stub.answer(self)

    do_POST = do_GET  # noqa: N815

    def reply(self, status: int, content_type: str, body: bytes) -> None:
        self.start(status, content_type)
        self.write(body)

    def start(self, status: int, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.end_headers()

    def redirect(self, path: str) -> None:
        self.send_response(302)
        self.send_header("Location", path)
        self.end_headers()

    def write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def run_stub() -> Iterator[Stub]:
    """Run the site; its streams end with it."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    stub = handler.stub = Stub(f"http://127.0.0.1:{server.server_address[1]}/")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield stub
    finally:
        for stream in stub.streams:
            stream.close()
        server.shutdown()
        thread.join(DEADLINE)
        server.server_close()
    assert not thread.is_alive()
