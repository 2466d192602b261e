"""The system checks of `manage.py check --deploy`."""

from django.core import checks
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache

from .checks import get_valid_settings


def register() -> None:
    """Register these checks with Django."""
    checks.register(check_web_processes, deploy=True)


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
