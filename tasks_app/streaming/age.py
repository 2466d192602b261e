"""The age of what is stored, which counts as silence for a process that has not watched the task."""

import math
from datetime import UTC, datetime

from ..conf import get_settings
from ..snapshot import Silence


def count_age(silence: Silence, *, monotonic: float, at_most: float = math.inf) -> None:
    """Count the age of what is stored as silence, as far as clocks can be trusted.

    The slack for clocks that differ is LOST_AFTER, a minute by default: a site sets that with its clocks in mind.

    Args:
        monotonic: the time, in seconds.
        at_most: the seconds since which what is stored was written for sure; the age can't be more.
    """
    settings = get_settings()
    age = silence.get_age(now=datetime.now(UTC))
    if age > settings.ACTIVE_TTL:  # the cache would have dropped the task, so a clock is wrong
        return
    surplus = min(age, at_most) - settings.LOST_AFTER
    if surplus > 0:
        silence.backdate(surplus, counted=settings.LOST_AFTER - settings.STALLED_AFTER, monotonic=monotonic)
