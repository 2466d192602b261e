"""What tests of the read path share: tasks made by hand, viewers that count, and streams read as events."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from datetime import UTC, datetime

from django.core.cache import caches

from tasks_app import make_token, wakeups
from tasks_app.snapshot.snapshot import Snapshot
from tasks_app.snapshot.state import Report
from tasks_app.snapshot.version import Version
from tasks_app.store.keys import make_task_key
from tasks_app.store.store import Store
from tasks_app.streaming.hub import Hub, get_hubs
from tasks_app.streaming.watch import Watch
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wire import Event, EventDecoder

NOW = datetime(2024, 5, 4, 12, tzinfo=UTC)


class CountingViewer:
    """A viewer that keeps the ids of the events it would send."""

    outlet = None

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def notify(self, watch: Watch) -> None:
        assert watch.view is not None
        self.seen.append((watch.task_id, watch.view.event_id))

    def tick(self) -> None:
        pass

    def expire(self) -> None:
        pass


def make_running(task_id: str = "t1", *, owner: str | None = None) -> Snapshot:
    """Return the snapshot of a task that runs; its seq is 2."""
    return Snapshot.queued(task_id, "demo", now=NOW, owner=owner).begun(now=NOW)


def make_cancel_url(task_id: str) -> str:
    """Return the URL that cancels a task, with a token that allows it."""
    return f"/tasks/{task_id}/cancel?token={make_token(task_id, scope='control')}"


def report(snapshot: Snapshot, current: float) -> Snapshot:
    """Return the snapshot at `current` %."""
    return snapshot.reported(Report(current=current, total=100), now=NOW)


def put(*snapshots: Snapshot) -> None:
    """Store snapshots as the flusher does: in one go, and this process is given them."""
    wakeups.publish(put_silently(*snapshots))


def put_elsewhere(*snapshots: Snapshot) -> None:
    """Store snapshots as another process does that a layer connects to this one."""
    put_silently(*snapshots)
    tell_changed(*(snapshot.task_id for snapshot in snapshots))


def put_silently(*snapshots: Snapshot) -> Mapping[str, Version]:
    """Store snapshots as another process does: nobody here is told."""
    return Store(lambda: caches.create_connection("default")).save(snapshots).versions


def tell_changed(*task_ids: str) -> None:
    """Say that tasks changed, as a layer does: they must be read."""
    for hub in get_hubs():
        if not hub.loop.is_closed():
            hub.loop.call_soon_threadsafe(hub.mark_stale, task_ids)


def save_text(task_id: str, text: object) -> None:
    """Store anything at all where the snapshot of a task should be."""
    caches["default"].set(make_task_key(task_id), text)


async def until(condition: Callable[[], object], what: str, *, deadline: float = DEADLINE) -> None:
    """Do what `wait_until` does while the event loop goes on."""
    await asyncio.to_thread(wait_until, condition, what, deadline=deadline)


async def read_next(stream: AsyncIterable[bytes]) -> bytes:
    """Return the next chunk of a stream; before its first frames comes its head."""
    async with asyncio.timeout(DEADLINE):
        chunk = await anext(aiter(stream))
        return chunk + await anext(aiter(stream)) if chunk.startswith(b"retry: ") else chunk


async def read_rest(stream: AsyncIterable[bytes]) -> bytes:
    """Return everything that a stream sends up to its end."""
    async with asyncio.timeout(DEADLINE):
        return b"".join([chunk async for chunk in stream])


async def read_events(stream: AsyncIterable[bytes]) -> list[Event]:
    """Return the events that a stream sends up to its end."""
    return decode(await read_rest(stream))


def decode(*chunks: bytes) -> list[Event]:
    """Return the events in these bytes."""
    return EventDecoder().feed(b"".join(chunks))


def find_states(events: Iterable[Event]) -> list[str]:
    """Return the state that each unnamed event says."""
    return [event.json()["state"] for event in events if event.type == "message"]


def has_no_viewers(hub: Hub) -> bool:
    """Return whether nobody looks at anything any more, be it a task or its log."""
    return not (hub.viewers or hub.watched or hub.followed)


def is_idle(hub: Hub) -> bool:
    """Return whether a hub without viewers has ended."""
    return has_no_viewers(hub) and hub not in get_hubs()
