"""The recent tasks by name and state, which are read from the cache when metrics are asked for."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from ...integration import Rarely, get_recent_reader
from .names import Names

logger = logging.getLogger("tasks_app")

#: Seconds to wait for the cache; without its answer, the other metrics are shown.
PATIENCE = 2.0

_failures = Rarely()


class RecentTasks(Collector):
    """A gauge of the tasks on the recent list. It is the same in all processes, since they share the list."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Return the gauge without values, so that nothing is read when this is registered."""
        return [_make_family()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauge; nothing if the cache does not answer, which is logged once a minute."""
        try:
            snapshots = get_recent_reader().read(timeout=PATIENCE)
        except Exception:  # whatever a cache backend raises
            if _failures.is_due("read"):
                logger.exception("the recent tasks could not be read for metrics (said once a minute)")
            return
        family = _make_family()
        numbers = Counter((self._names.bound(item.task), item.state.value) for item in snapshots)
        for labels, number in sorted(numbers.items()):
            family.add_metric(labels, number)
        yield family


def _make_family() -> GaugeMetricFamily:
    text = "Tasks on the list of recent ones, by their state now; the same in all processes"
    return GaugeMetricFamily("tasks_app_tasks", text, labels=["task", "state"])
