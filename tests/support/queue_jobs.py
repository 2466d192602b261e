"""Jobs for the workers of other queues, none of them async, and the process that starts one of each kind."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.test import override_settings

from tasks_app import TaskCancelled, cancel, progress, start
from tasks_app.store.store import get_store
from tests.support.db_site import run_python

try:
    from django.tasks import task
except ImportError:  # Django 5.2
    from django_tasks import task


@task
def add(a: int, b: int = 1) -> int:
    return a + b


@task
def count(n: int) -> dict[str, int]:
    for _ in progress.track(range(n), unit="steps"):
        pass
    return {"counted": n}


@task
def do_nothing() -> None:
    pass


@task
def fail(message: str) -> None:
    progress.update(current=37, total=100)
    raise RuntimeError(message)


@task
def stop() -> None:
    progress.update(current=1, total=4)
    raise TaskCancelled("enough")


def start_all() -> dict[str, str]:
    """Start the jobs, and return their ids by name."""
    started = {
        "add": start(add, 1, owner=7),
        "count": start(count, n=4, owner=7),
        "nothing": start(do_nothing, owner=7),
        "fail": start(fail, "no file", owner=7),
        "stop": start(stop, owner=7),
        "cancelled": start(count, n=4, owner=7),
    }
    cancel(started["cancelled"])
    return started


def start_elsewhere(env: Mapping[str, str], *, module: str = __name__) -> dict[str, str]:
    """Do what `start_all` of a module does, in a process of its own, and return the ids by name."""
    code = f"import django, json; django.setup()\nfrom {module} import start_all; print(json.dumps(start_all()))"
    return dict(json.loads(run_python("-c", code, env=env)))


def make_env(settings: str, queue_url: str, cache_url: str) -> dict[str, str]:
    """Return the environment of the processes of such a project."""
    return {"DJANGO_SETTINGS_MODULE": settings, "QUEUE_URL": queue_url, "VALKEY_URL": cache_url}


@contextmanager
def shared_cache(url: str) -> Iterator[None]:
    """Have this process keep tasks in the cache of such a project."""
    cache = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}
    with override_settings(CACHES={"default": cache}):
        yield
        get_store().cache.close()
