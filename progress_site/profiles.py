"""The profiles of the demo site: how it uses processes and machines for each value of DJANGO_PROFILE."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any

from django import VERSION
from django.core.exceptions import ImproperlyConfigured

Options = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The settings that depend on the profile.

    Attributes:
        tasks: the default backend of TASKS.
        jobs: the module of the tasks.
        broker_url: the broker of Celery's tasks, if the profile uses Celery.
        cache: the entry of CACHES for the tasks.
        channel_layers: CHANNEL_LAYERS.
        apps: the apps to add to INSTALLED_APPS.
        is_shared: whether several processes serve the site.
        needs_cache_database: whether the cache is a database table.
    """

    tasks: Options
    jobs: str = "progress_site.tasks"
    broker_url: str | None = None
    cache: Options
    channel_layers: Options = field(default_factory=dict)
    apps: tuple[str, ...] = ()
    is_shared: bool = True
    needs_cache_database: bool = False


def make_profile(name: str, redis_url: str) -> Profile:
    """Return the profile with this name, or "embedded" if the name is empty.

    Args:
        redis_url: the URL of the Redis server; empty for none.

    Raises:
        ImproperlyConfigured: the name is unknown, the URL or a package is missing, or "embedded" is given a URL.
    """
    name = name.strip() or "embedded"
    if name not in PROFILES:
        raise ImproperlyConfigured(f"DJANGO_PROFILE is {name!r}; allowed: {', '.join(PROFILES)}.")
    return PROFILES[name](redis_url.strip())


def _make_embedded(redis_url: str) -> Profile:
    if redis_url:
        raise ImproperlyConfigured("DJANGO_REDIS_URL is set, which DJANGO_PROFILE=embedded does not use; see 'redis'.")
    return Profile(tasks=_IN_PROCESS, cache=_MEMORY, is_shared=False)


def _make_redis(redis_url: str) -> Profile:
    if not redis_url:
        raise ImproperlyConfigured("DJANGO_PROFILE=redis needs DJANGO_REDIS_URL, such as redis://localhost:6379.")
    return Profile(tasks=_IN_PROCESS, cache=_make_cache(redis_url), channel_layers=_make_layers(redis_url))


def _make_celery(redis_url: str) -> Profile:
    if not redis_url:
        raise ImproperlyConfigured("DJANGO_PROFILE=celery needs DJANGO_REDIS_URL, such as redis://localhost:6379.")
    _require("celery")
    return replace(
        _make_redis(redis_url),
        jobs="progress_site.celery_tasks",
        broker_url=redis_url,
        apps=("tasks_app.contrib.celery",),
    )


def _make_database(redis_url: str) -> Profile:
    _require("django_tasks_db")
    tasks = {"BACKEND": "django_tasks_db.DatabaseBackend"}
    apps = ("django_tasks_db",) if VERSION >= (6,) else ("django_tasks", "django_tasks_db")
    if not redis_url:
        return Profile(tasks=tasks, cache=_TABLE, apps=apps, needs_cache_database=True)
    return Profile(tasks=tasks, cache=_make_cache(redis_url), channel_layers=_make_layers(redis_url), apps=apps)


#: The function that makes each profile from DJANGO_REDIS_URL.
PROFILES: Mapping[str, Callable[[str], Profile]] = {
    "embedded": _make_embedded,
    "redis": _make_redis,
    "database": _make_database,
    "celery": _make_celery,
}

#: Seconds after which a server that hangs counts as unreachable.
REDIS_TIMEOUTS: Options = {"socket_timeout": 5, "socket_connect_timeout": 5}

_IN_PROCESS: Options = {
    "BACKEND": "tasks_app.backends.InProcessBackend",
    "OPTIONS": {"max_workers": 64},  # the demo's tasks mostly sleep
}
_MEMORY: Options = {
    "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
    "LOCATION": "tasks",
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}
_TABLE: Options = {
    "BACKEND": "django.core.cache.backends.db.DatabaseCache",
    "LOCATION": "tasks_cache",
    "OPTIONS": {"MAX_ENTRIES": 100_000},
}


def _make_cache(redis_url: str) -> Options:
    _require("redis")
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": redis_url,
        "KEY_PREFIX": "progress_site",  # other projects may use the same server
        "OPTIONS": REDIS_TIMEOUTS,
    }


def _make_layers(redis_url: str) -> Options:
    """Return the layers through which other processes see a change at once, instead of at their next sweep."""
    _require("channels_redis")
    # redis-py 8 gives up on a blocking read after 5 s unless it is told not to.
    hosts = [{"address": redis_url, "socket_timeout": None}]
    return {"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": hosts}}}


def _require(package: str) -> None:
    if find_spec(package) is None:
        raise ImproperlyConfigured(f"This profile needs a package: pip install {package.replace('_', '-')}")
