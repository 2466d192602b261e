"""Which database holds what."""

from typing import Any


class CacheRouter:
    """The table of the cache has a database of its own: an import locks the other one for seconds (SQLite does)."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "cache" if _is_cache(model._meta.app_label) else None

    db_for_write = db_for_read

    def allow_migrate(self, database: str, app_label: str, **hints: Any) -> bool | None:
        return (database == "cache") is _is_cache(app_label)


def _is_cache(app_label: str) -> bool:
    return app_label == "django_cache"
