"""Calls that wait for the commit of the transactions that are open in this thread."""

from collections.abc import Callable, Collection
from functools import partial

from django.db import connections, transaction


def find_transactions() -> list[str]:
    """Return the aliases of the databases that have an open transaction in this thread."""
    return [item.alias for item in connections.all(initialized_only=True) if item.in_atomic_block]


def call_at_commit(function: Callable[[], object], databases: Collection[str]) -> None:
    """Call a function once all these databases have committed, at once if there are none; never after a rollback."""
    if not databases:
        function()
    open_ones = set(databases)
    for alias in databases:
        transaction.on_commit(partial(_note_commit, function, open_ones, alias), using=alias)


def _note_commit(function: Callable[[], object], open_ones: set[str], alias: str) -> None:
    open_ones.discard(alias)
    if not open_ones:
        function()
