"""Components in a page without a server: each shows one snapshot that the page brings along."""

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route

from tests.servers import ROOT

URL = "http://canned.test/"
STATIC = ROOT / "tasks_app" / "static"
STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; padding: 28px; background: light-dark(#fbfbf9, #111114); font-family: Inter, system-ui, sans-serif; }
main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 12px; max-width: 34.25rem; }
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
    "error": None,
}


def make_component(attributes: str = "", **snapshot: Any) -> str:
    """Return the markup of a component that knows this snapshot: RUNNING, with changes."""
    known = {**RUNNING, **snapshot}
    data = json.dumps(known).replace("<", "\\u003c")
    return (
        f'<task-progress task-id="{escape(known["task_id"])}" {attributes}>'
        f'<script type="application/json">{data}</script></task-progress>'
    )


def show(page: Page, *components: str, stream: str = "", language: str = "en", direction: str = "ltr") -> None:
    """Show these components; their stream has this text, and nothing else that they ask for is ever answered."""
    html = (
        f'<!doctype html><html lang="{language}" dir="{direction}"><meta charset="utf-8"><title>Components</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="/page.css"><link rel="stylesheet" href="/static/tasks_app/task-progress.css">'
        '<script type="module" src="/static/tasks_app/task-progress-define.js"></script>'
        f"<main><h1>Components</h1>{''.join(components)}</main></html>"
    )

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(URL).partition("?")[0]
        if not path:
            route.fulfill(body=html, content_type="text/html")
        elif path == "page.css":
            route.fulfill(body=STYLE, content_type="text/css")
        elif path == "task-progress" and stream:
            route.fulfill(body=stream, content_type="text/event-stream")
        elif path.startswith("static/"):
            route.fulfill(path=Path(STATIC, path.removeprefix("static/")))

    page.route(f"{URL}**", answer)
    page.goto(URL)
    page.wait_for_function("document.querySelectorAll('task-progress:not(:defined)').length === 0")
