"""The instruments of prometheus-client, which it keeps in files that processes share where it is told to."""

from collections.abc import Sequence
from functools import partial

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

#: Upper limits in seconds, of durations and waiting times of tasks, and of what this app does by itself.
TASK_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14400)
OWN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Instruments:
    """The metrics of this process; `docs/reference/metrics.md` describes them."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        counter, gauge = partial(_make_counter, registry), partial(_make_gauge, registry)
        histogram = partial(_make_histogram, registry)
        self.begun = counter("tasks_begun", "Attempts of tasks that began", "task")
        self.ended = counter("tasks_ended", "Tasks that ended, by the state in which they did", "task", "state")
        self.running = gauge("tasks_running", "Tasks that run now, by their processes", "task")
        text = "How long the attempts ran by which tasks ended"
        self.seconds = histogram("task_seconds", text, TASK_SECONDS, "task", "state")
        text = "How long tasks waited until they first began"
        self.waiting_seconds = histogram("task_waiting_seconds", text, TASK_SECONDS, "task")
        self.missed_heartbeats = counter("heartbeats_missed", "Heartbeats that a process did not write in time")
        self.flush_seconds = histogram("flush_seconds", "How long a write of changed tasks took", OWN_SECONDS)
        self.store_failures = counter("store_failures", "Calls of the cache that failed, by its method", "call")
        self.streams = gauge("streams", "Streams that are open now")
        self.connects = counter("stream_connects", "Streams that were opened")
        self.frames = counter("frames", "Changes of tasks handed to streams, one for each stream")
        self.sweep_seconds = histogram("sweep_seconds", "How long a read of all watched tasks took", OWN_SECONDS)
        self.found_by_sweeps = counter("sweep_changes", "Changes that a sweep found, without a wake-up")
        self.stalled = counter("tasks_stalled", "Tasks that fell silent, as each process with viewers of them saw it")


def _make_counter(registry: CollectorRegistry, name: str, text: str, *labels: str) -> Counter:
    return Counter(f"tasks_app_{name}", text, labels, registry=registry)


def _make_gauge(registry: CollectorRegistry, name: str, text: str, *labels: str) -> Gauge:
    """Return a gauge that is added up over the processes that live."""
    return Gauge(f"tasks_app_{name}", text, labels, registry=registry, multiprocess_mode="livesum")


def _make_histogram(
    registry: CollectorRegistry, name: str, text: str, buckets: Sequence[float], *labels: str
) -> Histogram:
    return Histogram(f"tasks_app_{name}", text, labels, registry=registry, buckets=buckets)
