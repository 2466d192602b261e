"""System checks: can the workers be followed from here?"""

from importlib.util import find_spec

from django.core import checks
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache

from ...conf import get_settings


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
    alias = get_settings().CACHE
    if alias not in caches.settings or not isinstance(caches[alias], LocMemCache):  # E005 says the former
        return []
    return [
        checks.Warning(
            f"CACHES[{alias!r}] is a LocMemCache, of one process alone: nobody else sees what Celery workers report.",
            hint="Use a cache that processes share: Redis or Valkey.",
            id="tasks_app.W006",
        )
    ]
