"""System checks: can the workers be followed from here?"""

from importlib.util import find_spec

from django.core import checks
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache

from ...integration import get_valid_settings


def register() -> None:
    """Have Django run these checks."""
    checks.register(check_celery)
    checks.register(check_shared_cache)


def has_celery() -> bool:
    """Is Celery installed?"""
    return find_spec("celery") is not None


def check_celery(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Is there a Celery to follow?"""
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
    """Does this process see what workers write?"""
    settings = get_valid_settings()
    if settings is None or settings.CACHE not in caches.settings:  # other checks say so
        return []
    alias = settings.CACHE
    if not isinstance(caches[alias], LocMemCache):
        return []
    return [
        checks.Warning(
            f"CACHES[{alias!r}] is a LocMemCache, of one process alone: nobody else sees what Celery workers report.",
            hint="Use a cache that processes share: Redis or Valkey.",
            id="tasks_app.W007",
        )
    ]
