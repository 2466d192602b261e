"""The cache, as one process sees it: it is to keep what each thread writes, and to answer fast."""

import logging
import secrets
import statistics
import threading
import time
from collections.abc import Iterable, Iterator, Mapping

from django.core.cache import caches
from django.core.cache.backends.db import BaseDatabaseCache
from django.db import DatabaseError

from ..conf import get_settings
from ..store import get_store, make_probe_key
from .finding import Figure, Finding, Level, Result, name_error
from .lost_writes import loses_writes
from .time_limit import CALL_SECONDS, NotInTime, call

logger = logging.getLogger("tasks_app")

#: Seconds for which the cache keeps the values of the doctor if nobody deletes them.
TIME_TO_LIVE = 120

#: Values that are written at once, and the characters of each: about a task's snapshot.
VALUES, VALUE_LENGTH = 50, 1000

#: Threads that use the cache at once, and how often each writes and reads.
THREADS, ROUNDS = 8, 20

#: Calls whose median is the speed; a slower one, in seconds, is a finding: reports are flushed faster than that.
CALLS, SLOW = 21, 0.1

#: The longest that a value may take to appear, in seconds, where a cache reads from a replica.
LAG = 2.0


def examine_cache() -> Iterator[Result]:
    """Yield what is found of the cache of TASKS_APP, as this process sees it."""
    alias = get_settings().CACHE
    yield Figure(name="backend", value=type(caches[alias]).__name__)
    values = {make_probe_key(secrets.token_hex(8)): _make_value(VALUE_LENGTH) for _ in range(VALUES)}
    try:
        yield from _examine(alias, values)
    except NotInTime:
        yield Finding(
            id="cache-hangs",
            level=Level.ERROR,
            what=f"CACHES[{alias!r}] has not answered within {CALL_SECONDS:g} s: nothing is stored, nothing shown.",
            cure="See whether its server runs, and can be reached from this machine. Give it OPTIONS "
            "{'socket_timeout': 5, 'socket_connect_timeout': 5}, so that nobody waits for it for ever.",
        )
    except Exception as error:  # whatever a cache backend raises
        yield Finding(
            id="cache-fails",
            level=Level.ERROR,
            what=f"CACHES[{alias!r}] fails: {name_error(error)}.",
            cure=_find_cure(alias),
        )
    finally:
        _delete(values)


def _examine(alias: str, values: Mapping[str, str]) -> Iterator[Result]:
    cache = get_store().cache
    refused = call(cache.set_many, values, TIME_TO_LIVE)
    lag = _measure_lag(values)
    if refused or lag is None:
        yield _keeps_nothing(alias, len(refused) or len(values) - len(call(cache.get_many, values)))
        return
    if lag > 0:
        yield Finding(
            id="cache-lags",
            level=Level.WARNING,
            what=f"CACHES[{alias!r}] shows what is written {lag:.2f} s later: it reads from a replica that lags.",
            cure="Read from the server that takes the writes: give the cache one LOCATION.",
        )
    yield from _examine_size(alias)
    yield from _examine_threads(alias)
    yield from _examine_speed(alias, next(iter(values)))
    yield from _examine_loss(alias, values)


def _measure_lag(values: Mapping[str, str]) -> float | None:
    """Return after how many seconds all values can be read; 0 if at once, None if not within LAG."""
    cache, began = get_store().cache, time.monotonic()
    if call(cache.get_many, values) == values:
        return 0.0
    while time.monotonic() - began < LAG:
        time.sleep(0.05)
        if call(cache.get_many, values) == values:
            return time.monotonic() - began
    return None


def _keeps_nothing(alias: str, missing: int) -> Finding:
    return Finding(
        id="cache-keeps-nothing",
        level=Level.ERROR,
        what=f"CACHES[{alias!r}] has lost {missing!r} of {VALUES!r} small values at once: tasks are not found.",
        cure="Use a cache that stores, with room for all tasks: Redis or Valkey, or LocMemCache for one process.",
        proves=["tasks_app.E006"],
    )


def _examine_size(alias: str) -> Iterator[Result]:
    """See whether the cache takes the largest snapshot that TASKS_APP allows: with a result, and with `meta`."""
    limit = get_settings().RESULT_MAX_BYTES
    key, value = make_probe_key(secrets.token_hex(8)), _make_value(2 * limit + VALUE_LENGTH)
    if not _keeps(key, value):
        yield Finding(
            id="cache-refuses-large",
            level=Level.ERROR,
            what=f"CACHES[{alias!r}] does not keep a value of {len(value)!r} bytes, which a task may have with "
            f"RESULT_MAX_BYTES {limit!r}: its end would not be stored.",
            cure="Lower TASKS_APP['RESULT_MAX_BYTES'], or have the server take larger values (memcached: -I 4m).",
        )


def _keeps(key: str, value: str) -> bool:
    """Return whether the cache stores a value; some clients say by an error that it is too large."""
    cache = get_store().cache
    try:
        return not call(cache.set_many, {key: value}, TIME_TO_LIVE) and call(cache.get, key) == value
    except NotInTime:
        raise
    except Exception:
        logger.debug("the cache does not store %s bytes", len(value), exc_info=True)
        return False
    finally:
        _delete([key])


def _examine_threads(alias: str) -> Iterator[Result]:
    """See whether each of some threads reads its own values back."""
    mixed: list[str] = []
    lost: list[str] = []
    keys = [make_probe_key(secrets.token_hex(8)) for _ in range(THREADS)]
    threads = [threading.Thread(target=_use, args=(key, mixed, lost), daemon=True) for key in keys]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 2 * CALL_SECONDS
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0))
    _delete(keys)
    if any(thread.is_alive() for thread in threads):
        raise NotInTime
    if mixed:
        yield Finding(
            id="cache-mixes-threads",
            level=Level.ERROR,
            what=f"CACHES[{alias!r}] is not safe in threads: of {THREADS!r} that used it at once, {mixed[0]}.",
            cure="Use a backend whose client is safe in threads, such as Django's RedisCache. Do not derive a "
            "backend that keeps one connection for all threads from one that does not.",
        )
    elif lost:
        yield loses_writes(alias, THREADS, lost[0])


def _use(key: str, mixed: list[str], lost: list[str]) -> None:
    """Write and read a key again and again, and note what was not as written: another's value, or none."""
    cache = get_store().cache
    for number in range(ROUNDS):
        try:
            call(cache.set_many, {key: f"{key} {number}"}, TIME_TO_LIVE)
            found = call(cache.get, key)
        except Exception as error:  # whatever a client makes of a reply to another thread, or a database of a lock
            (lost if isinstance(error, DatabaseError) else mixed).append(f"one met {name_error(error)}")
            return
        if found is None or (isinstance(found, str) and found.startswith(key) and found != f"{key} {number}"):
            lost.append("one found nothing, or an older value, where it had just written")
            return
        if found != f"{key} {number}":
            mixed.append("one read what another had written")
            return


def _examine_speed(alias: str, key: str) -> Iterator[Result]:
    """Measure reads."""
    durations = []
    for _ in range(CALLS):
        began = time.perf_counter()
        call(get_store().cache.get, key)
        durations.append(time.perf_counter() - began)
    median = statistics.median(durations)
    yield Figure(name="read", value=round(median * 1000, 2), unit="ms")
    if median > SLOW:
        yield Finding(
            id="cache-slow",
            level=Level.WARNING,
            what=f"CACHES[{alias!r}] takes {median * 1000:.0f} ms for a read: what viewers see is late.",
            cure="Move the cache closer to the site, or take load off its server.",
        )


def _examine_loss(alias: str, values: Mapping[str, str]) -> Iterator[Result]:
    """See whether all that was written first is still there."""
    found = call(get_store().cache.get_many, values)
    if missing := len(values) - len(found):
        yield Finding(
            id="cache-drops",
            level=Level.ERROR,
            what=f"CACHES[{alias!r}] has dropped {missing!r} of {len(values)!r} values within seconds, which it was "
            f"to keep for {TIME_TO_LIVE!r} s: tasks that run disappear.",
            cure="Give it more room (MAX_ENTRIES, 'maxmemory', memcached's -m), or a cache of its own: "
            "TASKS_APP['CACHE'].",
            proves=["tasks_app.W001", "tasks_app.W014"],
        )


def _make_value(length: int) -> str:
    return secrets.token_hex(length // 2)


def _delete(keys: Iterable[str]) -> None:
    """Delete what was written; what can't be deleted ends by itself after TIME_TO_LIVE."""
    try:
        for key in keys:
            call(get_store().cache.delete, key)
    except Exception:  # a finding says why the cache can't be used
        logger.debug("values of the doctor stay in the cache for %s s", TIME_TO_LIVE, exc_info=True)


def _find_cure(alias: str) -> str:
    if isinstance(caches[alias], BaseDatabaseCache):
        return "If its table is missing, run 'manage.py createcachetable'; if the database is, see DATABASES."
    return "See whether its server runs, and can be reached from this machine under the LOCATION in CACHES."
