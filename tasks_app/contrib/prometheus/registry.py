"""The registry with the metrics of this process, or of all processes that share a folder."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from ...integration import set_meter
from .instruments import Instruments
from .meter import PrometheusMeter
from .names import Names
from .recent_tasks import RecentTasks

#: prometheus-client names the files of its live gauges like this. Where it does not, those of dead processes stay.
_LIVE_GAUGES = re.compile(r"gauge_live\w*_(\d+)\.db")

_names = Names()


def install() -> None:
    """Have this process count, into the default registry of prometheus-client."""
    set_meter(PrometheusMeter(Instruments(), _names))
    REGISTRY.register(RecentTasks(_names))


def make_registry() -> CollectorRegistry:
    """Return the registry to show: the default one, or one that adds up all processes in PROMETHEUS_MULTIPROC_DIR."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder is None:
        return REGISTRY
    registry = CollectorRegistry()
    registry.register(Processes(Path(folder)))
    registry.register(RecentTasks(_names))
    return registry


class Processes(Collector):
    """The metrics of all processes that share a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._registry = CollectorRegistry()
        MultiProcessCollector(self._registry, str(folder))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics; processes that live no more are first left out of what runs."""
        forget_dead_processes(self._folder)
        yield from self._registry.collect()


def forget_dead_processes(folder: Path) -> None:
    """Leave out what processes were doing that have ended; what they have counted stays."""
    found = {
        int(match.group(1)) for path in folder.glob("gauge_live*") if (match := _LIVE_GAUGES.fullmatch(path.name))
    }
    for pid in found:
        if not _is_alive(pid):
            with suppress(FileNotFoundError):  # another process has just done so
                mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return True
