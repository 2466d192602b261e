"""The router between the databases of the demo site."""

from typing import Any


class CacheRouter:
    """A router that gives the cache table its own database, because an import locks the other for seconds (SQLite)."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "cache" if _is_cache(model._meta.app_label) else None

    db_for_write = db_for_read

    def allow_migrate(self, database: str, app_label: str, **hints: Any) -> bool | None:
        return (database == "cache") is _is_cache(app_label)


def _is_cache(app_label: str) -> bool:
    return app_label == "django_cache"
