"""Projects as the documents have people make them: from `startproject`, with what blocks of code add."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.readme import find_block
from tests.support.servers import ROOT, run_daphne
from tests.support.waiting import DEADLINE

#: The environment of the processes of such a project.
ENV = {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "mysite.settings"}


def make_shop(folder: Path) -> Path:
    """Make a project to which only what README says was added, and a task that it shows."""
    make_project(folder)
    stubs = "\n\ndef read(upload_id):\n    return list(range(upload_id))\n\n\ndef save(row):\n    pass\n"
    (folder / "shop" / "tasks.py").write_text(find_block("python", "def import_rows") + stubs)
    paste(folder, find_block("python", "mysite/urls.py", document="README.md"))
    allow_anonymous_start(folder)
    return folder


def make_project(folder: Path) -> Path:
    """Make a project and an app of its own, to which nothing was added."""
    for arguments in (["startproject", "mysite", "."], ["startapp", "shop"]):
        subprocess.run([sys.executable, "-m", "django", *arguments], cwd=folder, check=True)
    return folder


def paste(project: Path, block: str) -> None:
    """Append a code block to the files of a project that its comments name."""
    _, *parts = re.split(r"^# (\w+/\w+\.py)\n", block, flags=re.MULTILINE)
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        append(project / name, text)


def append(path: Path, text: str) -> None:
    path.write_text((path.read_text() if path.exists() else "") + "\n" + text)


def allow_anonymous_start(project: Path) -> None:
    """Let the test start tasks without logging in."""
    append(project / "mysite" / "settings.py", 'TASKS_APP["ALLOW_ANONYMOUS_START"] = True\n')


def find_warnings(shop: Path, env: dict[str, str]) -> list[str]:
    """Return the ids of all that `manage.py check` says."""
    check = [sys.executable, "manage.py", "check"]
    found = subprocess.run(check, cwd=shop, env={**os.environ, **env}, check=True, capture_output=True, text=True)
    return re.findall(r"\(([\w.]+\.[EW][0-9]+)\)", found.stderr)


def run_to_the_end(shop: Path, env: dict[str, str], *, with_token: bool = False) -> dict[str, Any]:
    """Start the example task over HTTP, follow it, and return its last snapshot."""
    body = json.dumps({"task": "import", "kwargs": {"upload_id": 250}}).encode()
    with run_daphne("mysite.asgi:application", env=env, cwd=shop) as server:
        start = urllib.request.Request(f"{server.url}/start-task", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(start, timeout=DEADLINE) as response:
            answer = json.load(response)
        target = answer["progress_url"] + (f"?token={answer['token']}" if with_token else "")
        with urllib.request.urlopen(server.url + target, timeout=DEADLINE) as stream:
            snapshots = [json.loads(line[6:]) for line in stream if line.startswith(b"data: ")]
    return dict(snapshots[-1])


def run_here(project: Path, *arguments: str) -> str:
    """Run Python in a project, and return what it prints."""
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=project, env={**os.environ, **ENV}, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout
