"""The number and the rate of the tasks that each client may start: kept in the cache, healed by the store."""

import asyncio
import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ..conf import get_settings
from ..store import decode, find_client, get_store, keep_client
from ..utils.json import decode_json
from ..utils.lazy import per_process
from ..utils.rarely import Rarely
from ..utils.rate import Rate
from .clients import refuse
from .problems import store_access

logger = logging.getLogger("tasks_app")

#: The most clients of which a process remembers what it started for them; of others it knows what the cache says.
MAX_CLIENTS = 1000

#: Seconds until a client is looked at again of whose tasks none has ended.
PAUSE = 1.0

#: How many tasks of a client that has all of them are looked at before others have a turn; large ones take long.
LOOK = 5


@dataclass(slots=True)
class Record:
    """The known starts of a client.

    Attributes:
        task_ids: the tasks that it has started and that are not known to have ended; the first is looked at next.
        used_until: what its rate remembers; see `Rate`.
    """

    task_ids: dict[str, None] = field(default_factory=dict)
    used_until: float = 0.0

    @classmethod
    def from_json(cls, text: object) -> "Record":
        """Return the record in a stored text; an empty one if there is none, or it is of another shape."""
        try:
            task_ids, used_until = decode_json(text) if isinstance(text, str) else ([], 0.0)
            return cls(dict.fromkeys(map(str, task_ids)), float(used_until))
        except (ValueError, TypeError, OverflowError, RecursionError):
            return cls()

    def to_json(self) -> str:
        return json.dumps([list(self.task_ids), self.used_until])


@dataclass(slots=True)
class _Client:
    """The starts of a client that this process knows.

    A task stays here until it has ended: another process that writes the record at the same moment may
    take it out there.
    """

    record: Record = field(default_factory=Record)
    #: The starts that are under way.
    pending: int = 0
    #: Until when none of its tasks is asked whether it has ended.
    full_until: float = 0.0


class Admission:
    """The starts of this process' clients, in all its threads.

    Of several processes that start tasks of one client in the same instant, each may let one more pass.
    """

    def __init__(
        self, get_time: Callable[[], float] = time.time, get_monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._get_time, self._get_monotonic = get_time, get_monotonic
        self._lock = threading.Lock()
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self._failures = Rarely(get_monotonic)

    @asynccontextmanager
    async def admitted(self, name: str) -> AsyncIterator[Callable[[str], None]]:
        """Let a client start a task in this block, which tells its id; without one, it counts as not started.

        Args:
            name: the name of the client.

        Raises:
            Problem: the client may start none now, or the cache failed.
        """
        settings = get_settings()
        if settings.START_RATE is None and settings.MAX_UNFINISHED_PER_CLIENT is None:
            yield lambda task_id: None
            return
        client = self._find(name)
        self._check_rate(name, client)  # before the cache is asked
        await self._make_room(name, client)
        pause = self._admit(name, client)
        started: list[str] = []
        try:
            yield started.append
        finally:
            self._note(client, started, pause)
        if started:
            await self._store(name, client)

    def _find(self, name: str) -> _Client:
        with self._lock:
            client = self._clients.setdefault(name, _Client())
            self._clients.move_to_end(name)
            if len(self._clients) > MAX_CLIENTS:
                idle = next((name for name, other in self._clients.items() if not other.pending), name)
                del self._clients[idle]
            return client

    async def _make_room(self, name: str, client: _Client) -> None:
        """Learn what the cache knows of a client; if it has all its tasks, look at them until one has ended."""
        if self._is_full(client) and self._get_monotonic() < client.full_until:
            raise self._refuse_unfinished(name)
        with store_access():
            self._merge(client, Record.from_json(await get_store().arun(find_client, name)))
            task_ids = list(client.record.task_ids)
            for index in range(0, len(task_ids), LOOK):
                if not self._is_full(client):
                    return
                looked_at = task_ids[index : index + LOOK]
                self._sort_out(client, looked_at, await get_store().arun(_find_ended, looked_at))
                await asyncio.sleep(0)
        if self._is_full(client):
            client.full_until = self._get_monotonic() + PAUSE

    def _sort_out(self, client: _Client, looked_at: Iterable[str], ended: Iterable[str]) -> None:
        """Forget the ended ones of some tasks; the others are looked at after the rest."""
        with self._lock:
            for task_id in looked_at:
                if task_id in client.record.task_ids:
                    del client.record.task_ids[task_id]
                    client.record.task_ids[task_id] = None
            for task_id in ended:
                client.record.task_ids.pop(task_id, None)

    def _merge(self, client: _Client, stored: Record) -> None:
        with self._lock:
            if get_settings().MAX_UNFINISHED_PER_CLIENT is not None:
                client.record.task_ids = stored.task_ids | client.record.task_ids
            client.record.used_until = max(stored.used_until, client.record.used_until)

    def _admit(self, name: str, client: _Client) -> float:
        """Count one start as under way, and return by what it has moved the rate."""
        with self._lock:
            if self._is_full(client):
                raise self._refuse_unfinished(name)
            rate = self._check_rate(name, client)
            client.pending += 1
            if rate is None:
                return 0.0
            client.record.used_until = rate.use(client.record.used_until, self._get_time())
            return rate.pause

    def _is_full(self, client: _Client) -> bool:
        limit = get_settings().MAX_UNFINISHED_PER_CLIENT
        return limit is not None and len(client.record.task_ids) + client.pending >= limit

    def _refuse_unfinished(self, name: str) -> Exception:
        limit = get_settings().MAX_UNFINISHED_PER_CLIENT
        return refuse(
            name, "MAX_UNFINISHED_PER_CLIENT", f"At most {limit!r} unfinished tasks of one client are allowed."
        )

    def _check_rate(self, name: str, client: _Client) -> Rate | None:
        """Return the rate at which a client may start tasks, if there is a limit.

        Raises:
            Problem: it may start none now.
        """
        if (text := get_settings().START_RATE) is None:
            return None
        rate = Rate.parse(text)
        if wait := rate.find_wait(client.record.used_until, self._get_time()):
            raise refuse(name, "START_RATE", f"At most {text} tasks may be started by one client.", retry_after=wait)
        return rate

    def _note(self, client: _Client, started: Iterable[str], pause: float) -> None:
        """Note what has become of a start that was under way."""
        with self._lock:
            client.pending -= 1
            if not started:
                client.record.used_until -= pause
            elif get_settings().MAX_UNFINISHED_PER_CLIENT is not None:
                client.record.task_ids.update(dict.fromkeys(started))

    async def _store(self, name: str, client: _Client) -> None:
        with self._lock:
            text = client.record.to_json()
        try:
            await get_store().arun(keep_client, name, text)
        except Exception:  # the task has started; this process knows of it, and stores it with the next one
            if self._failures.is_due("store"):
                logger.exception("what a client has started could not be stored (said once a minute)")


def _find_ended(task_ids: list[str]) -> list[str]:
    """Return which of some tasks have ended, or are unknown."""
    texts = get_store().read(task_ids)
    snapshots = {task_id: decode(task_id, texts.get(task_id)) for task_id in task_ids}
    return [task_id for task_id, snapshot in snapshots.items() if snapshot is None or snapshot.is_terminal]


@per_process("CACHES", "TASKS_APP")
def get_admission() -> Admission:
    """Return the admission of this process."""
    return Admission()
