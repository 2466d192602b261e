"""The cache, as two processes see it: what one writes, the other is to read."""

import secrets
from collections.abc import Iterator

from ..conf import get_settings
from ..store import get_store, make_probe_key
from .finding import Figure, Finding, Level, Result
from .peer import Peer
from .time_limit import call

#: Seconds for which the cache keeps the value if nobody deletes it.
TIME_TO_LIVE = 120

SHARED, NOT_SHARED = (Figure(name="cache shared", value=answer) for answer in ("yes", "no"))


def examine_sharing(peer: Peer, *, processes: int | None) -> Iterator[Result]:
    """Yield whether another process reads what this one writes.

    Args:
        processes: how many processes run the site and its workers, as far as is known.

    Raises:
        PeerFailed: the other process does not answer.
        Exception: raised by the cache.
    """
    cache, key, value = get_store().cache, make_probe_key(secrets.token_hex(8)), secrets.token_hex(8)
    try:
        call(cache.set_many, {key: value}, TIME_TO_LIVE)
        is_shared = peer.read([key]) == {key: value}
    finally:
        call(cache.delete, key)
    yield SHARED if is_shared else NOT_SHARED
    if not is_shared and processes != 1:
        yield _not_shared(processes)


def _not_shared(processes: int | None) -> Finding:
    known = "" if processes is None else f", of which there are {processes!r}"
    return Finding(
        id="cache-not-shared",
        level=Level.WARNING if processes is None else Level.ERROR,
        what=f"CACHES[{get_settings().CACHE!r}] is not shared: another process does not see what this one wrote. "
        f"Each process has its own tasks{known}.",
        cure="Use a cache that all processes share: Redis or Valkey, or the database cache. If one process alone "
        "serves the site and runs its tasks, say so with --processes 1.",
        proves=["tasks_app.W006", "tasks_app.W007", "tasks_app.W012"],
    )
