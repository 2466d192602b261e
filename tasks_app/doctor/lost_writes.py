"""A cache that loses what is written while others write, and what mends that."""

from django.core.cache import caches
from django.core.cache.backends.db import BaseDatabaseCache
from django.db import connections, router

from .finding import Finding, Level

#: The option by which a write waits for the lock of SQLite, rather than fails once it has read.
MODE = "transaction_mode"


def loses_writes(alias: str, threads: int, what: str) -> Finding:
    """Return the finding of a cache that loses what some threads write at once.

    Args:
        alias: that of the cache.
        threads: how many have written.
        what: what one of them has met.
    """
    return Finding(
        id="cache-loses-writes",
        level=Level.ERROR,
        what=f"CACHES[{alias!r}] loses what is written: of {threads!r} threads that used it at once, {what}. The "
        "end of a task may be lost so.",
        cure=_find_cure(alias),
    )


def _find_cure(alias: str) -> str:
    database = _find_sqlite(alias)
    if database is None:
        return (
            "See whether its server is full or refuses writes, and whether the cache can write from several threads."
        )
    if connections[database].settings_dict["OPTIONS"].get(MODE) == "IMMEDIATE":
        return (
            f"SQLite refuses a write while another process holds its lock. Give DATABASES[{database!r}] a longer "
            "'timeout' in OPTIONS, or use Redis or Valkey."
        )
    return (
        "SQLite refuses a write while another holds its lock, which Django's DatabaseCache passes over. Give "
        f'DATABASES[{database!r}] "OPTIONS": {{"{MODE}": "IMMEDIATE", "timeout": 20}}, or use Redis or Valkey.'
    )


def _find_sqlite(alias: str) -> str | None:
    """Return the alias of the SQLite database that keeps the cache; None if another one or none does."""
    cache = caches[alias]
    if not isinstance(cache, BaseDatabaseCache):
        return None
    database = router.db_for_write(cache.cache_model_class)
    return database if connections[database].vendor == "sqlite" else None
