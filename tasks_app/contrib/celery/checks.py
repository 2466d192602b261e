"""System checks of what the tracking of Celery tasks needs."""

from importlib.util import find_spec

from django.core import checks
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache

from ...integration import get_valid_settings


def register() -> None:
    """Register these checks with Django."""
    checks.register(check_celery)
    checks.register(check_shared_cache)


def has_celery() -> bool:
    """Whether Celery is installed."""
    return find_spec("celery") is not None


def check_celery(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that Celery is installed."""
    if has_celery():
        return []
    return [
        checks.Error(
            "INSTALLED_APPS has 'tasks_app.contrib.celery', but Celery is not installed.",
            hint="Run 'pip install celery'.",
            id="tasks_app.E010",
        )
    ]


def check_shared_cache(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that this process sees what Celery workers write to the cache."""
    settings = get_valid_settings()
    if settings is None or settings.CACHE not in caches.settings:  # other checks report that
        return []
    alias = settings.CACHE
    if not isinstance(caches[alias], LocMemCache):
        return []
    return [
        checks.Warning(
            f"CACHES[{alias!r}] is a LocMemCache, private to each process: only Celery workers see what they report.",
            hint="Use a cache that all processes share: Redis or Valkey.",
            id="tasks_app.W007",
        )
    ]
