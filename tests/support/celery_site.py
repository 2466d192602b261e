"""A Valkey server as broker and cache, the tests' own process as a site that starts Celery tasks, and its workers."""

import gc
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.test import override_settings
from kombu import pools
from redis import Redis

from tasks_app import Snapshot, get_snapshot
from tasks_app.contrib.celery import groups, receivers
from tasks_app.lifecycle import frameworks
from tasks_app.store.store import get_store
from tests.support.celery_app import app
from tests.support.servers import Server, run_celery
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_until


@dataclass
class CelerySite:
    """Where the broker is, and what workers need in their environment."""

    broker_url: str
    env: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def run_worker(self, *options: str, **times: float) -> Iterator[Server]:
        """Run a worker, with these keys of TASKS_APP."""
        with run_celery(*options, env={**self.env, "TASKS_APP": json.dumps(times)}) as worker:
            yield worker

    def say(self, task_id: str, word: str = "go") -> None:
        """Let a job go on."""
        with Redis.from_url(self.broker_url) as client:
            client.rpush(f"word:{task_id}", word)

    def read_result(self, task_id: str) -> Mapping[str, Any] | None:
        """Return what Celery itself stores of a task."""
        with Redis.from_url(self.broker_url) as client:
            text = client.get(f"celery-task-meta-{task_id}")
        return None if text is None else json.loads(text)

    def is_acknowledged(self, task_id: str) -> bool:
        """Return whether no worker would give the message of a task back to the broker."""
        with Redis.from_url(self.broker_url) as client:
            return not any(task_id.encode() in message for message in client.hvals("unacked"))

    def count_messages(self, queue: str = "celery") -> int:
        """Return how many tasks wait in a queue."""
        with Redis.from_url(self.broker_url) as client:
            return int(client.llen(queue))


@contextmanager
def run_celery_site() -> Iterator[CelerySite]:
    """Have this process follow Celery tasks, and its tasks in a cache that workers share."""
    with ValkeyServer() as server:
        broker_url, cache_url = f"{server.connection_url}/0", f"{server.connection_url}/1"
        caches = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": cache_url}}
        env = {
            "DJANGO_SETTINGS_MODULE": "tests.support.celery_settings",
            "BROKER_URL": broker_url,
            "VALKEY_URL": cache_url,
        }
        app.conf.broker_url = broker_url
        with followed_celery(), override_settings(CACHES=caches):
            yield CelerySite(broker_url, env)


@contextmanager
def followed_celery() -> Iterator[None]:
    """Have this process follow Celery tasks, as if `tasks_app.contrib.celery` were in its INSTALLED_APPS."""
    receivers.connect()
    try:
        yield
    finally:
        for celery_signal, receiver in receivers._RECEIVERS:
            celery_signal.disconnect(dispatch_uid=f"tasks_app.{receiver.__name__}")
        groups.unwrap()
        frameworks.unregister(frameworks.find_framework("celery"))
        disconnect()


@contextmanager
def known_results(site: CelerySite) -> Iterator[None]:
    """Have this process know where workers leave results, as a site must that sends chords."""
    app.conf.result_backend = site.broker_url
    _forget_backend()
    try:
        yield
    finally:
        _close_results()
        app.conf.result_backend = None
        _forget_backend()


def _close_results() -> None:
    """Let go of all results, which would talk to their server when they are collected later."""
    backend = app.backend
    backend._pending_results.concrete.clear()
    gc.collect()
    backend.result_consumer.stop()
    backend.client.connection_pool.disconnect()


def _forget_backend() -> None:
    app._local.__dict__.clear()
    app._backend_cache = None


def disconnect() -> None:
    """Close what Celery has opened in this process; it opens anew what it needs."""
    pools.reset()
    app._after_fork()


def wait_for(task_id: str, condition: Callable[[Snapshot], object]) -> Snapshot:
    """Return the first snapshot for which this holds."""
    seen: list[Snapshot] = []

    def look() -> bool:
        seen.append(get_snapshot(task_id))
        return bool(condition(seen[-1]))

    wait_until(look, f"task {task_id} is as expected")
    return seen[-1]


def wait_for_end(task_id: str) -> Snapshot:
    return wait_for(task_id, lambda snapshot: snapshot.is_terminal)


def wait_for_status(task_id: str, status: str) -> Snapshot:
    return wait_for(task_id, lambda snapshot: snapshot.status == status)


def knows(task_id: str) -> bool:
    """Return whether this task is in the cache, which may still be starting."""
    try:
        return get_store().get(task_id) is not None
    except Exception:
        return False
