"""The workers, by what the recent tasks tell of them: which report, which have fallen silent, whose clock is ahead."""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from ..conf import get_settings
from ..snapshot import Snapshot, State
from ..store import decode, find_details, get_store
from ..utils.release import VERSION
from .finding import Figure, Finding, Level, Result
from .time_limit import call

#: The most tasks that are looked at, the newest ones, and the most whose worker is looked up.
TASKS, NAMED = 200, 20

#: The most that the clock of a worker may be ahead.
AHEAD = timedelta(seconds=2)

#: How long a task may wait before somebody should ask why, where none runs.
LONG = timedelta(seconds=60)


def examine_workers() -> Iterator[Result]:
    """Yield which processes have reported lately, and what is odd about the tasks that have not ended."""
    now, snapshots = timezone.now(), _find_recent()
    running = [item for item in snapshots if item.state is State.RUNNING and item.written_at is not None]
    waiting = [item for item in snapshots if item.state is State.QUEUED]
    yield Figure(name="tasks that run", value=len(running))
    yield Figure(name="tasks that wait", value=len(waiting))
    if names := _name_reporters(snapshots[:NAMED], now):
        yield Figure(name="reported by", value=", ".join(names))
    yield from _find_versions(running)
    yield from _find_ahead(running, now)
    yield from _find_silent(running, now)
    if not running:
        yield from _find_waiting(waiting, now)


def _find_recent() -> list[Snapshot]:
    store = get_store()
    task_ids = call(store.find_recent)[:TASKS]
    texts = call(store.read, task_ids)
    found = [decode(task_id, texts.get(task_id)) for task_id in task_ids]
    return [snapshot for snapshot in found if snapshot is not None]


def _find_workers(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Return what is stored of the processes that have run a task, that of the latest attempt last."""
    return [item for item in call(find_details, snapshot) if item.get("host") and item.get("process")]


def _name_reporters(snapshots: Sequence[Snapshot], now: datetime) -> list[str]:
    """Return the processes that have reported tasks; each says whether it has ended, or for how long it is silent."""
    heard: dict[str, tuple[dict[str, Any], datetime]] = {}
    for item in snapshots:
        at = item.finished_at or item.written_at or item.created_at
        for worker in _find_workers(item)[-1:]:
            name = _name(worker)
            heard[name] = (worker, max(at, heard[name][1]) if name in heard else at)
    return [name + _describe_silence(worker, now - at) for name, (worker, at) in sorted(heard.items())]


def _describe_silence(worker: Mapping[str, Any], silence: timedelta) -> str:
    if worker["host"] == socket.gethostname() and not _runs(worker["process"]):
        return " which has ended"
    limit = timedelta(seconds=get_settings().STALLED_AFTER)
    return f" which last reported {silence.total_seconds():.0f} s ago" if silence > limit else ""


def _runs(process: int) -> bool:
    """Return whether a process of this machine runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return True


def _name(worker: Mapping[str, Any]) -> str:
    """Return the machine and the process id of a worker, and its version of this app."""
    return f"{worker['host']} ({worker['process']}, version {worker.get('version') or 'unknown'})"


def _find_versions(running: Sequence[Snapshot]) -> Iterator[Finding]:
    """See whether the workers of tasks that run have the version of this process."""
    latest = [workers[-1] for item in running[:NAMED] if (workers := _find_workers(item))]
    if others := sorted({_name(worker) for worker in latest if worker.get("version") != VERSION}):
        yield Finding(
            id="versions-differ",
            level=Level.WARNING,
            what=f"This process has version {VERSION!r} of the app. Of the workers that run tasks, {len(others)!r} "
            f"have another, such as {others[0]}: they may not understand what others store.",
            cure="Install the same version everywhere, and restart the workers after an upgrade.",
        )


def _find_ahead(running: Sequence[Snapshot], now: datetime) -> Iterator[Finding]:
    ahead = [
        item.written_at - now for item in running if item.written_at is not None and item.written_at - now > AHEAD
    ]
    if ahead:
        yield Finding(
            id="clocks-apart",
            level=Level.WARNING,
            what=f"The clock of a worker is {max(ahead).total_seconds():.1f} s ahead of the one of this machine.",
            cure="Have all machines set their clocks by NTP: the ends of tokens, and what people see, go by them.",
        )


def _find_silent(running: Sequence[Snapshot], now: datetime) -> Iterator[Finding]:
    limit = timedelta(seconds=get_settings().STALLED_AFTER)
    silent = [item for item in running if item.written_at is not None and now - item.written_at > limit]
    if silent:
        yield Finding(
            id="workers-silent",
            level=Level.NOTE,
            what=f"Of {len(running)!r} tasks that run, {len(silent)!r} have had no word from their worker for "
            f"more than {limit.total_seconds():g} s. They are shown as stalled, and then as lost.",
            cure="See whether the workers run and reach the cache, and whether their clocks are right.",
        )


def _find_waiting(waiting: Sequence[Snapshot], now: datetime) -> Iterator[Finding]:
    late = [item for item in waiting if now - (item.not_before or item.created_at) > LONG]
    if late:
        yield Finding(
            id="no-worker",
            level=Level.WARNING,
            what=f"No task runs, but {len(late)!r} have waited for more than {LONG.total_seconds():g} s.",
            cure="Start a worker ('manage.py db_worker', 'celery -A … worker'), and see whether it has the broker or "
            "database, and the cache, of the site. If one runs, it may run without this app: it needs the same "
            "INSTALLED_APPS as the site, for Celery with 'tasks_app.contrib.celery', and a restart after each change.",
        )
