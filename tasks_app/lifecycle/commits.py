"""Calls that wait for the commit of the transactions that are open in this thread."""

from collections.abc import Callable, Collection
from functools import partial

from django.db import connections, transaction


def find_transactions() -> list[str]:
    """Return the aliases of the databases that have an open transaction in this thread."""
    return [item.alias for item in connections.all(initialized_only=True) if item.in_atomic_block]


def choose_transactions(on_commit: object) -> list[str]:
    """Return the aliases of the databases whose commit a task waits for, as its caller wants it.

    Raises:
        ValueError: `on_commit` is neither True, False nor None.
    """
    if on_commit is not None and not isinstance(on_commit, bool):
        raise ValueError(f"on_commit must be True, False or None, not {on_commit!r}")
    return [] if on_commit is False else find_transactions()


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
