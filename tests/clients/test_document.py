"""The lines that the document shows are those that a script prints of the demo's task."""

import json
from typing import Any

import pytest

from progress_site.simulation import TEXTS
from tests.support.readme import find_block
from tests.support.scripts import ACCEPTED, ONE_TASK_SCRIPTS, Request, parse_line, run_script, serve, stream

TASK_ID = "16R5vEv39Hq5ocIDUMmPNkADzHrJ0OrZ"
BLOCK = find_block("console", "Task ", document="docs/reference/clients.md")
HEADING, *LINES = [line for line in BLOCK.splitlines() if line != "…"]


def make_frame(line: str) -> bytes:
    """Return the frame of the snapshot that a line shows."""
    progress, status = parse_line(line)
    state = "succeeded" if progress == 100 else "queued" if status == "Queued" else "running"
    snapshot: dict[str, Any] = {"progress": progress, "status": status, "state": state, "task": "simulate"}
    return f"data: {json.dumps({**snapshot, 'conclusion': status})}\n\n".encode()


def answer(request: Request) -> bytes:
    return ACCEPTED.replace(b"abc", TASK_ID.encode()) if request.method == "POST" else stream(*map(make_frame, LINES))


@pytest.mark.parametrize("script", ONE_TASK_SCRIPTS)
def test_script_prints_the_lines_of_the_document(script: str):
    with serve(answer) as server:
        done = run_script(script, "--url", server.url)
    assert (done.stdout.splitlines(), done.stderr) == ([HEADING, *LINES], "")


def test_lines_of_the_document_say_what_the_task_of_the_demo_says():
    assert [parse_line(line)[1] for line in LINES] == ["Queued", *TEXTS.values()]
