"""The meaning of a task's silence by the settings in force, for all who watch tasks in this process."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar

from ..conf import get_settings
from ..snapshot import Silence, Spell, judge

K = TypeVar("K")


def measure(silence: Silence, *, monotonic: float) -> Spell:
    """Return how long a task has been silent, now."""
    return silence.measure(monotonic=monotonic, now=datetime.now(UTC))


def judge_by_settings(spells: Mapping[K, Spell]) -> tuple[list[K], list[K]]:
    """Return the stalled tasks and the lost tasks."""
    settings = get_settings()
    return judge(
        spells,
        stalled_after=settings.STALLED_AFTER,
        lost_after=settings.LOST_AFTER,
        queued_lost_after=settings.QUEUED_LOST_AFTER,
    )
