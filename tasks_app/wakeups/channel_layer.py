"""Wake-ups between processes, over a Channels layer. A lost one costs only latency, because hubs sweep.

Tasks are spread over a fixed number of groups: one flush of a thousand tasks sends a few dozen messages, and a
process that watches ten thousand tasks joins a few dozen groups. A process ignores wake-ups of tasks it does not
watch. A group that no process listens to gets none.
"""

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from contextvars import Context
from typing import Any

from django.utils.crypto import get_random_string

from ..conf import get_settings
from ..utils.backoff import Failures
from ..utils.exhaustion import exhaustion_log
from ..utils.lazy import per_process
from ..utils.rarely import Rarely
from ..utils.threads import LoopThread
from . import interest
from .message import find_task_ids, make_message, name_group

try:
    from channels.layers import channel_layers
except ImportError:  # other processes then see changes at their next sweep
    channel_layers = None
try:
    from redis.exceptions import TimeoutError as RedisTimeoutError
except ImportError:  # the layer is none of channels_redis
    RedisTimeoutError = TimeoutError  # type: ignore[assignment,misc]

logger = logging.getLogger("tasks_app")

#: Of which messages of another shape was said.
_oddities = Rarely()

#: Seconds after which groups are joined again, because membership expires (channels_redis: after a day).
RENEW_AFTER = 3600.0

#: The longest pause in seconds before listening is tried again; a try that lasted longer resets the pause.
MAX_LISTEN_PAUSE = 30.0

#: The least seconds that a read without a message takes if it is ended by a time limit of its connection.
MIN_READ_LIMIT = 1.0

#: The most seconds that sending one batch of wake-ups may take; newer ones wait for it.
SEND_TIMEOUT = 5.0


@per_process("CHANNEL_LAYERS", "TASKS_APP")
def has_layer() -> bool:
    """Return whether a layer connects processes; the in-memory one does not."""
    config = channel_layers.configs.get(get_settings().CHANNEL_LAYER, {}) if channel_layers is not None else {}
    return config.get("BACKEND") not in (None, "channels.layers.InMemoryChannelLayer")


def get_layer() -> Any:
    """Return the configured layer."""
    return channel_layers[get_settings().CHANNEL_LAYER]


class LayerSender:
    """The sender of wake-ups to other processes, for use from any thread.

    It sends from an event loop of its own, so callers do not wait; wake-ups that wait there are merged.
    """

    def __init__(self) -> None:
        #: Marks the messages of this process, which its own listeners skip.
        self.origin = get_random_string(12)
        self._loop = LoopThread("tasks_app-layer")
        self._lock = threading.Lock()
        self._pending: set[str] = set()
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._failures = Failures()

    def start(self) -> None:
        """Start the loop if a layer connects processes."""
        if has_layer():
            self._loop.start()

    def send(self, task_ids: Collection[str]) -> None:
        """Tell other processes that these tasks changed, if a layer connects them, and any of them listens."""
        if has_layer() and (heard := self._find_heard(task_ids)):
            with self._lock:
                self._pending.update(heard)
                if self._is_idle.is_set() and self._try_to_start():
                    self._is_idle.clear()
                    self._loop.run(self._send_pending())

    def _find_heard(self, task_ids: Collection[str]) -> Collection[str]:
        groups = {task_id: name_group(task_id) for task_id in task_ids}
        try:
            listened = interest.find_interest(set(groups.values()))
        except Exception:  # whatever a cache backend raises; it has just stored the tasks
            logger.debug("whether anybody listens is not known", exc_info=True)
            return task_ids
        return [task_id for task_id, group in groups.items() if group in listened]

    def _try_to_start(self) -> bool:
        try:
            self._loop.start()
        except Exception as error:  # the next wake-up tries again
            exhaustion_log.note(error, "other processes see changes later")
            return False
        return True

    def drain(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds until everything is sent, and return whether it is."""
        return self._is_idle.wait(timeout)

    async def _send_pending(self) -> None:
        while task_ids := self._take():
            await self._send(task_ids)

    def _take(self) -> set[str]:
        with self._lock:
            task_ids, self._pending = self._pending, set()
            if not task_ids:
                self._is_idle.set()
            return task_ids

    async def _send(self, task_ids: Iterable[str]) -> None:
        by_group: dict[str, list[str]] = defaultdict(list)
        for task_id in task_ids:
            by_group[name_group(task_id)].append(task_id)
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                for group, ids in by_group.items():
                    await get_layer().group_send(group, make_message(self.origin, ids))
            self._failures.clear()
        except Exception:
            # A layer may raise anything. The hubs' sweeps make up for what was not sent.
            if self._failures.note():
                logger.warning("sending wake-ups failed (%s in a row)", self._failures.count, exc_info=True)


class LayerListener:
    """The listener, in one event loop, for wake-ups from other processes.

    Args:
        on_change: called in that loop with the ids of tasks that may have changed.
    """

    def __init__(self, on_change: Callable[[Collection[str]], None]) -> None:
        self._on_change = on_change
        self._watched: dict[str, set[str]] = defaultdict(set)
        self._has_new_group = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    def add(self, task_id: str) -> None:
        """Listen for wake-ups of one more task."""
        group = name_group(task_id)
        if group not in self._watched:
            self._has_new_group.set()
        self._watched[group].add(task_id)
        if self._listening is None and has_layer():
            self._listening = asyncio.get_running_loop().create_task(self._listen_forever(), context=Context())

    def discard(self, task_id: str) -> None:
        """Undo `add`."""
        group = name_group(task_id)
        self._watched[group].discard(task_id)
        if not self._watched[group]:
            del self._watched[group]  # `_join` leaves the group when it next runs

    def stop(self) -> None:
        """Stop listening until the next `add`."""
        if self._listening is not None:
            self._listening.cancel()
            self._listening = None

    async def _listen_forever(self) -> None:
        failures = Failures()
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._listen(get_layer())
            except Exception:
                # A layer may raise anything. Listen again after a pause; the hub's sweep goes on meanwhile.
                if asyncio.get_running_loop().time() - began > MAX_LISTEN_PAUSE:
                    failures.clear()
                if failures.note():
                    logger.warning("listening for wake-ups failed (%s in a row)", failures.count, exc_info=True)
                await asyncio.sleep(failures.get_pause(0.1, MAX_LISTEN_PAUSE))

    async def _listen(self, layer: Any) -> None:
        channel = await layer.new_channel("tasks_app")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_joined(layer, channel))
            group.create_task(self._keep_noted())
            group.create_task(self._receive(layer, channel))

    async def _receive(self, layer: Any, channel: str) -> None:
        while True:
            message = await _receive_one(layer, channel)
            if message is not None:
                self._hear(message)

    def _hear(self, message: object) -> None:
        """Pass on which tasks a message names; one of another shape is said without its text, once a minute."""
        try:
            task_ids = find_task_ids(message, unless_from=get_sender().origin)
        except ValueError as error:
            if _oddities.is_due("message"):
                logger.warning("a message on the channel layer is %s; it is skipped, as others may be", error)
        else:
            if task_ids:
                self._on_change(task_ids)

    async def _keep_noted(self) -> None:
        while True:
            await asyncio.sleep(interest.RENEW_AFTER)
            await self._note(self._watched)

    async def _note(self, groups: Iterable[str]) -> None:
        """Note that these groups are listened to; without the note, the hub's sweep sees what changes."""
        try:
            await interest.note_interest(groups)
        except Exception:  # whatever a cache backend raises
            logger.warning("other processes send no wake-ups for %s s", interest.RENEW_AFTER, exc_info=True)

    async def _keep_joined(self, layer: Any, channel: str) -> None:
        joined: set[str] = set()
        renews = False
        try:
            while True:
                self._has_new_group.clear()
                await self._join(layer, channel, joined, renews=renews)
                try:
                    async with asyncio.timeout(RENEW_AFTER):
                        await self._has_new_group.wait()
                    renews = False
                except TimeoutError:
                    renews = True
        finally:
            for group in joined:
                await layer.group_discard(group, channel)

    async def _join(self, layer: Any, channel: str, joined: set[str], *, renews: bool) -> None:
        """Leave the groups that are watched no more, and join the new ones; if it `renews`, all of them."""
        for group in joined - self._watched.keys():
            await layer.group_discard(group, channel)
            joined.discard(group)
        for group in self._watched.keys() - (set() if renews else joined):
            await layer.group_add(group, channel)
            joined.add(group)
            await self._note([group])
            # Wake-ups sent before the group was joined, and that noted, did not arrive.
            self._on_change(list(self._watched.get(group, ())))


async def _receive_one(layer: Any, channel: str) -> Any:
    """Return the next message, or None if there was none for as long as a connection to Redis lets a read last.

    redis-py 8 lets it last 5 s unless the host in CHANNEL_LAYERS has a `socket_timeout`; `RedisChannelLayer` reads for
    as long, and does not expect that.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        return await layer.receive(channel)
    except RedisTimeoutError as error:
        if loop.time() - began < MIN_READ_LIMIT:  # the server can't be reached
            raise
        logger.debug("no wake-up for %.1f s: %r", loop.time() - began, error)
        return None


@per_process()
def get_sender() -> LayerSender:
    """Return the sender of this process."""
    return LayerSender()


def start() -> None:
    """Start the sender's thread now: at exit, a process can no longer start one."""
    get_sender().start()


def send(task_ids: Collection[str]) -> None:
    """Tell other processes that these tasks changed, without waiting."""
    get_sender().send(task_ids)


def drain(timeout: float) -> bool:
    """Wait at most `timeout` seconds until everything is sent, and return whether it is."""
    return get_sender().drain(timeout)
