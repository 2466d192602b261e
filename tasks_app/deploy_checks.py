"""The system checks of `manage.py check --deploy`."""

from django.conf import settings as django_settings
from django.core import checks
from django.core.cache import caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.utils.module_loading import import_string

from .checks import get_valid_settings

#: Caches that drop any entries beyond MAX_ENTRIES, while LocMemCache drops those that were not used for longest, of
#: which no task that waits or runs is one; and the least MAX_ENTRIES that gives no warning.
BLIND_CACHES = (FileBasedCache, DatabaseCache)
ENTRIES_FOR_ALL = 100_000

#: Packages whose middleware decides who may have an answer, or for which site. Django's own LoginRequiredMiddleware is
#: none of them: the endpoints ask for permission themselves, with the lane and without.
GUARDS = {
    "basicauth",
    "django_hosts",
    "django_tenants",
    "iprestrict",
    "lockdown",
    "login_required",
    "maintenance_mode",
    "stronghold",
}


def register() -> None:
    """Register these checks with Django."""
    checks.register(check_web_processes, deploy=True)
    checks.register(check_lane, deploy=True)
    checks.register(check_eviction, deploy=True)


def check_web_processes(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that several web processes would share the cache."""
    settings = get_valid_settings()
    if settings is None or settings.CACHE not in caches.settings:
        return []
    if not isinstance(caches[alias := settings.CACHE], LocMemCache):
        return []
    return [
        checks.Warning(
            f"CACHES[{alias!r}] is a LocMemCache, which each process has for itself: with two web processes, half of "
            "all requests find no task.",
            hint="Use a cache that all processes share, Redis or Valkey, or run one web process and silence this "
            "warning.",
            id="tasks_app.W012",
        )
    ]


def check_eviction(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that a cache that drops entries without regard to their use holds so many that it need not."""
    settings = get_valid_settings()
    if settings is None or settings.CACHE not in caches.settings:
        return []
    cache = caches[alias := settings.CACHE]
    if not isinstance(cache, BLIND_CACHES) or (entries := cache._max_entries) >= ENTRIES_FOR_ALL:
        return []
    return [
        checks.Warning(
            f"CACHES[{alias!r}] holds at most {entries!r} entries and then drops any: for tasks that have ended, "
            "some that run, and what has a repeated request start nothing.",
            hint=f"Give it OPTIONS {{'MAX_ENTRIES': {ENTRIES_FOR_ALL!r}}} or more, or use Redis or Valkey with a "
            "'maxmemory-policy' that evicts nothing, 'noeviction'.",
            id="tasks_app.W014",
        )
    ]


def check_lane(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that no middleware counts on seeing the streams that `tasks_app.asgi.wrap` answers below Django."""
    passed_by = [path for path in django_settings.MIDDLEWARE if path.partition(".")[0] in GUARDS]
    if not passed_by or not _has_lane():
        return []
    return [
        checks.Warning(
            f"MIDDLEWARE has {passed_by!r}, which a stream that bears a valid token passes by: "
            "'tasks_app.asgi.wrap' answers it below Django.",
            hint="If a token is permission enough, silence this warning; else use wrap(application, lane=False).",
            id="tasks_app.W013",
        )
    ]


def _has_lane() -> bool:
    """Return whether the site's ASGI application is known to be wrapped with a lane."""
    path = getattr(django_settings, "ASGI_APPLICATION", None)
    try:
        application = import_string(path) if path else None
    except Exception:  # whatever its module raises, the server says when it starts
        return False
    return getattr(application, "has_tasks_app_lane", False) is True
