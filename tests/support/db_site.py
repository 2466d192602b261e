"""The project of `db_settings`: its web process, its workers, and what a test asks of them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import wire
from tests.support.servers import ROOT, Server, run_command, run_daphne
from tests.support.waiting import DEADLINE, wait_until

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
        assert wire.send(self.port, "POST", f"/tasks/{task_id}/cancel").status == 202

    def get(self, task_id: str) -> wire.Response:
        return wire.send(self.port, "GET", f"/tasks/{task_id}")

    def wait_for(self, task_id: str, state: str) -> dict[str, Any]:
        """Return the snapshot of a task once it is in this state."""
        wait_until(lambda: self.get(task_id).json()["state"] == state, f"{task_id} is {state}")
        return self.get(task_id).json()

    def run_worker(self, *options: str, **env: str) -> Any:
        """Run a `db_worker`; it is a context manager."""
        return run_command([sys.executable, *WORKER, *options], env={**self.env, **env})

    def query(self, task_id: str) -> dict[str, Any]:
        """Return what the database has of a task."""
        code = (
            "import django, json; django.setup()\n"
            "from django_tasks_db.models import DBTaskResult\n"
            "fields = ('status', 'exception_class_path', 'return_value', 'worker_ids')\n"
            f"print(json.dumps(DBTaskResult.objects.filter(pk={task_id!r}).values(*fields).first()))"
        )
        return json.loads(run_python("-c", code, env=self.env))

    def query_times(self) -> list[float]:
        """Return how many seconds each task took that has ended, as the database has it."""
        code = (
            "import django, json; django.setup()\n"
            "from django_tasks_db.models import DBTaskResult\n"
            "ended = DBTaskResult.objects.finished().exclude(started_at=None)\n"
            "print(json.dumps([(row.finished_at - row.started_at).total_seconds() for row in ended]))"
        )
        return json.loads(run_python("-c", code, env=self.env))


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


@contextmanager
def run_site(folder: Path, location: str, *, cache: str = "redis.RedisCache", **tasks_app: Any) -> Iterator[Site]:
    """Run the web process of a project with an empty database and these values in TASKS_APP."""
    env = {
        "DJANGO_SETTINGS_MODULE": "tests.support.db_settings",
        "DB_DATABASE": str(folder / "db.sqlite3"),
        "DB_CACHE": f"django.core.cache.backends.{cache}",
        "DB_LOCATION": location,
        "DB_TASKS_APP": json.dumps(tasks_app),
    }
    run_python("-m", "django", "migrate", "-v0", env=env)
    run_python("-m", "django", "createcachetable", env=env)
    with run_daphne(env=env) as server:
        yield Site(server, folder, env)
