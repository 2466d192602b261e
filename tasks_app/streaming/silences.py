"""The silence of the tasks that a hub watches, and what follows from it."""

import time
from collections.abc import Mapping

from ..store import get_store
from .expired import declare_expired, find_expired
from .judgement import judge_by_settings
from .lost import declare_lost
from .probe import Probe
from .watch import Watch, excuse_each, stall_each


class Silences:
    """The judge of the watches of one hub: it shows tasks as stalled, and declares others lost or expired."""

    def __init__(self) -> None:
        self._probe = Probe()
        self._judged_at = time.monotonic()

    async def judge(self, watches: Mapping[str, Watch], *, max_age: float) -> None:
        """Judge each watched task by its silence, after all were read.

        Args:
            watches: the watches by task id; they may change while this waits.
            max_age: the most seconds between two calls for which silence means something.
        """
        monotonic = time.monotonic()
        # If nothing could be read for a while (the cache failed, the loop was blocked), silence means nothing.
        if monotonic - self._judged_at > max_age:
            for watch in watches.values():
                watch.silence.forget(monotonic=monotonic)
        self._judged_at = monotonic
        stalled, lost = judge_by_settings({item: item.measure(monotonic=monotonic) for item in watches.values()})
        stall_each(stalled)
        if (stalled or lost) and not self._probe.is_sound(monotonic=monotonic, interval=0, max_age=max_age):
            excuse_each(watches.values(), monotonic=monotonic)
        elif snapshots := [watch.silence.snapshot for watch in lost if watch.silence.snapshot is not None]:
            verdict = await get_store().arun(declare_lost, snapshots, self._probe, monotonic)
            excused = watches if verdict.has_failed else watches.keys() & verdict.refused
            excuse_each([watches[task_id] for task_id in excused], monotonic=time.monotonic())
        if expired := find_expired(watch.silence.snapshot for watch in watches.values()):
            await get_store().arun(declare_expired, expired)
