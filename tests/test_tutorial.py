"""The tutorial, followed step by step in a new project."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.projects import paste
from tests.support.readme import find_block
from tests.support.servers import ROOT, run_command, run_runserver
from tests.support.shell import run_block
from tests.support.waiting import DEADLINE, wait_until

TUTORIAL = "docs/tutorial.md"
PASSWORD = "correct horse battery staple"
ENV = {
    "PYTHONPATH": str(ROOT),
    "DJANGO_SETTINGS_MODULE": "mysite.settings",
    "DJANGO_SUPERUSER_USERNAME": "ann",
    "DJANGO_SUPERUSER_EMAIL": "ann@example.com",
    "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
}


def manage(project: Path, *command: str) -> str:
    """Run a command of a project, and return what it says of problems."""
    arguments = [sys.executable, *command]
    done = subprocess.run(arguments, cwd=project, env={**os.environ, **ENV}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project after the first six steps; its templates stand where the text says."""
    prepare(find_block("sh", "startproject", document=TUTORIAL), tmp_path)
    paste(tmp_path, find_block("python", "MEDIA_ROOT", document=TUTORIAL))
    paste(tmp_path, find_block("python", "def count_words", document=TUTORIAL))
    paste(tmp_path, find_block("python", "def upload(request)", document=TUTORIAL))
    templates = tmp_path / "shop" / "templates" / "shop"
    templates.mkdir(parents=True)
    (templates / "upload.html").write_text(find_block("html", "<form", document=TUTORIAL))
    (templates / "show.html").write_text(find_block("html", "<title>Count words</title>\n{% load", document=TUTORIAL))
    prepare(find_block("sh", "createsuperuser", document=TUTORIAL), tmp_path)
    return tmp_path


def prepare(block: str, project: Path) -> None:
    """Run the commands of a block up to those that serve, which asks nobody."""
    block = block.partition(".venv/bin/python manage.py runserver")[0]
    run_block(block.replace("createsuperuser", "createsuperuser --noinput"), project, env=ENV)


def log_in(url: str) -> requests.Session:
    """Return the session of the superuser, who has logged in on the page to which the upload leads."""
    session = requests.Session()
    page = session.get(f"{url}/upload/", timeout=DEADLINE)
    form = {"username": "ann", "password": PASSWORD, "csrfmiddlewaretoken": session.cookies["csrftoken"]}
    assert session.post(page.url, form, timeout=DEADLINE).url == f"{url}/upload/"
    return session


def upload(session: requests.Session, url: str, lines: int) -> str:
    """Upload a text of so many lines of three words, and return the id of the task that counts them."""
    form = {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
    files = {"file": ("poem.txt", "one two three\n" * lines)}
    page = session.post(f"{url}/upload/", form, files=files, timeout=DEADLINE)
    task_id = page.url.removesuffix("/").rpartition("/")[2]
    assert (page.status_code, f'task-id="{task_id}"' in page.text) == (200, True)
    return task_id


def follow(session: requests.Session, url: str, task_id: str) -> Mapping[str, Any]:
    """Follow a task's stream to its end, and return the last snapshot."""
    last: dict[str, Any] = {}
    with session.get(f"{url}/task-progress/{task_id}", stream=True, timeout=DEADLINE) as stream:
        for line in stream.iter_lines():
            if line.startswith(b"data: {"):
                last = {**last, **json.loads(line[6:])}
    return last


@pytest.mark.slow
def test_project_of_the_tutorial_has_nothing_to_complain_of_and_counts_the_words_of_an_upload(project: Path):
    assert manage(project, "manage.py", "check") == ""
    with run_runserver(env=ENV, cwd=project) as server:
        session = log_in(server.url)
        last = follow(session, server.url, upload(session, server.url, lines=50))
    assert (last["state"], last["result"], last["label"]) == ("succeeded", {"message": "150 words"}, "Count poem.txt")


@pytest.mark.slow
def test_worker_of_the_tutorial_counts_on_while_the_server_is_restarted(project: Path):
    paste(project, find_block("python", "django_tasks_db.DatabaseBackend", document=TUTORIAL))
    prepare(find_block("sh", "pip install django-tasks-db", document=TUTORIAL), project)
    prepare(find_block("sh", "createcachetable", document=TUTORIAL), project)
    server, worker = find_block("sh", "db_worker", document=TUTORIAL).splitlines()
    assert server == ".venv/bin/python manage.py runserver"  # as it runs below, on a port that is free
    with run_command(worker.split(), env=ENV, cwd=project):
        with run_runserver(env=ENV, cwd=project) as server:
            session = log_in(server.url)
            task_id = upload(session, server.url, lines=1000)
            wait_until(lambda: read_state(session, server.url, task_id) == "running", "the worker has begun the task")
        with run_runserver(env=ENV, cwd=project) as server:
            last = follow(log_in(server.url), server.url, task_id)
    assert (last["state"], last["result"]) == ("succeeded", {"message": "3000 words"})


def read_state(session: requests.Session, url: str, task_id: str) -> str:
    return str(session.get(f"{url}/tasks/{task_id}", timeout=DEADLINE).json().get("state"))
