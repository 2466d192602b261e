"""The project of `db_settings`: its web process, its workers, and what a test asks of them."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from tests.support import wire
from tests.support.servers import ROOT, Server, run_command, run_daphne
from tests.support.viewers import make_cancel_url
from tests.support.waiting import DEADLINE, wait_until

DATABASE = "db.sqlite3"
TABLE = "django_tasks_database_dbtaskresult"
CACHE_TABLE = "tasks_app_cache"

#: A worker that looks for tasks at once and often.
WORKER = ("-m", "django", "db_worker", "--interval", "0.05", "--no-startup-delay")


@dataclass(frozen=True)
class Site:
    """A web process, and the folder and the environment that its workers share with it."""

    server: Server = field(repr=False)
    folder: Path
    env: Mapping[str, str] = field(repr=False)

    @property
    def port(self) -> int:
        return self.server.port

    def start(self, name: str, /, **kwargs: Any) -> str:
        return wire.start_task(self.port, name, **kwargs)

    def enqueue(self, name: str, /, kwargs: Mapping[str, Any], **order: Any) -> str:
        """Have a view of the project's own enqueue a task, and return its id."""
        response = wire.post_json(self.port, "/enqueue", {"task": name, "kwargs": kwargs, **order})
        assert response.status == 202, response
        return str(response.json()["task_id"])

    def make_orders(self, name: str) -> "Orders":
        return Orders(self.folder / f"{name}.orders")

    def open(self, task_id: str) -> wire.EventStream:
        stream = wire.EventStream(self.port, f"/task-progress/{task_id}")
        stream.socket.settimeout(DEADLINE)  # a worker must start first
        return stream

    def cancel(self, task_id: str) -> None:
        assert wire.send(self.port, "POST", make_cancel_url(task_id)).status == 202

    def get(self, task_id: str) -> wire.Response:
        return wire.send(self.port, "GET", f"/tasks/{task_id}")

    def wait_for(self, task_id: str, state: str) -> dict[str, Any]:
        """Return the snapshot of a task once it is in this state."""
        wait_until(lambda: self.get(task_id).json().get("state") == state, f"{task_id} is {state}")
        return self.get(task_id).json()

    def run_worker(self, *options: str, **env: str) -> Any:
        """Run a `db_worker`; it is a context manager."""
        return run_command([sys.executable, *WORKER, *options], env={**self.env, **env})

    def query(self, task_id: str) -> dict[str, Any]:
        """Return what the database has of a task: nothing, if it has no such task."""
        columns = ("status", "exception_class_path", "worker_ids")
        rows = self.execute(f"SELECT {', '.join(columns)} FROM {TABLE} WHERE id = ?", UUID(task_id).hex)
        return dict(zip(columns, rows[0], strict=True)) if rows else {}

    def query_times(self) -> list[float]:
        """Return how many seconds each task took that has ended, as the database has it."""
        rows = self.execute(f"SELECT started_at, finished_at FROM {TABLE} WHERE finished_at IS NOT NULL")
        return [(datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() for start, end in rows]

    def remove_code(self, task_id: str) -> None:
        """Have a task be one whose function was deleted from the code since it was enqueued."""
        path = "tests.support.db_jobs.gone"
        self.execute(f"UPDATE {TABLE} SET task_path = ? WHERE id = ?", path, UUID(task_id).hex)
        assert self.execute(f"SELECT count(*) FROM {TABLE} WHERE task_path = ?", path) != [(0,)]

    def execute(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """Run a statement on the database, and return its rows."""
        with closing(sqlite3.connect(self.folder / DATABASE, timeout=DEADLINE)) as connection, connection:
            return connection.execute(statement, values).fetchall()


@dataclass(frozen=True)
class Orders:
    """What a puppet of a worker process is told to do."""

    path: Path

    def __post_init__(self) -> None:
        self.path.touch()

    def __str__(self) -> str:
        return str(self.path)

    def give(self, **order: Any) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(order) + "\n")

    def give_return(self, value: Any = None) -> None:
        self.give(**{"return": value})

    def give_raise(self, message: str) -> None:
        self.give(**{"raise": message})


def run_python(*arguments: str, env: Mapping[str, str]) -> str:
    """Run Python to its end, and return what it prints; an AssertionError holds what it said where it fails."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@cache
def _make_database() -> bytes:
    """Return a database that has every table, and no row."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / DATABASE
        env = {
            "DJANGO_SETTINGS_MODULE": "tests.support.db_settings",
            "DB_DATABASE": str(path),
            "DB_CACHE": "django.core.cache.backends.db.DatabaseCache",
            "DB_LOCATION": CACHE_TABLE,
        }
        code = (
            "import django; django.setup()\n"
            "from django.core.management import call_command\n"
            "call_command('migrate', verbosity=0)\n"
            "call_command('createcachetable')"
        )
        run_python("-c", code, env=env)
        return path.read_bytes()


@contextmanager
def run_site(folder: Path, location: str, *, backend: str = "redis.RedisCache", **tasks_app: Any) -> Iterator[Site]:
    """Run the web process of a project with an empty database and these values in TASKS_APP."""
    env = {
        "DJANGO_SETTINGS_MODULE": "tests.support.db_settings",
        "DB_DATABASE": str(folder / DATABASE),
        "DB_CACHE": f"django.core.cache.backends.{backend}",
        "DB_LOCATION": location,
        "DB_TASKS_APP": json.dumps(tasks_app),
    }
    (folder / DATABASE).write_bytes(_make_database())
    with run_daphne(env=env) as server:
        yield Site(server, folder, env)
