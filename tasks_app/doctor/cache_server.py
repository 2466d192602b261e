"""The server of the cache: what it does once it is full, by its own words."""

import re
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.cache import caches
from django.utils.module_loading import import_string

from ..conf import get_settings
from .finding import Figure, Finding, Level, Result, name_error
from .time_limit import call

#: Room for ten thousand tasks of 1.5 KB.
ENOUGH_BYTES = 16 * 1024 * 1024

#: The part of its memory from which on a server that evicts nothing is nearly full.
NEARLY = 0.9

#: The most seconds that two clocks may be apart.
APART = 2.0

#: How packages document to ask for the client of Redis or Valkey behind a cache.
CLIENTS = {
    "django_redis": "django_redis.get_redis_connection",
    "django_valkey": "django_valkey.get_valkey_connection",
}

#: The options of Django's RedisCache that are for itself, not for the client.
OWN_OPTIONS = {"serializer", "pool_class", "parser_class"}

#: The longest that a server may take to tell of itself, in seconds.
SERVER_SECONDS = 5.0


def examine_cache_server() -> Iterator[Result]:
    """Yield what the server of the cache says of itself."""
    alias = get_settings().CACHE
    try:
        yield from _examine(alias)
    except Exception as error:  # whatever a client raises, where its server does not tell, or is not known
        yield Finding(
            id="cache-server-silent",
            level=Level.NOTE,
            what=f"The server of CACHES[{alias!r}] does not tell whether it drops values once it is full: "
            f"{name_error(error)}.",
            cure="See its settings: 'noeviction', and room for all tasks.",
        )


def _examine(alias: str) -> Iterator[Result]:
    config = caches.settings[alias]
    kinds = [
        kind.__module__.partition(".cache.backends.")[2] or kind.__module__ for kind in type(caches[alias]).__mro__
    ]
    if any(kind.startswith(("redis", *CLIENTS)) for kind in kinds):
        yield from _examine_redis(alias, _connect(alias, kinds, config))
    elif "memcached" in kinds:
        for place in _split(config.get("LOCATION", "")):
            yield from _examine_memcached(alias, place)
    else:
        yield Figure(name="server", value="none of its own")


def _connect(alias: str, kinds: list[str], config: Mapping[str, Any]) -> Any:
    """Return a client of the server that takes the writes."""
    for package, path in CLIENTS.items():
        if any(kind.startswith(package) for kind in kinds):
            return import_string(path)(alias)
    options = {name: value for name, value in config.get("OPTIONS", {}).items() if name not in OWN_OPTIONS}
    limits = {"socket_timeout": SERVER_SECONDS, "socket_connect_timeout": SERVER_SECONDS}
    return import_string("redis.from_url")(_split(config["LOCATION"])[0], **{**limits, **options})


def _split(location: str | list[str]) -> list[str]:
    """Return the places in a LOCATION, as Django does."""
    return re.split("[;,]", location) if isinstance(location, str) else list(location)


def _examine_redis(alias: str, client: Any) -> Iterator[Result]:
    try:
        before = time.time()
        seconds, microseconds = call(client.time)
        yield from _examine_clock(seconds + microseconds / 1e6, before, time.time())
        info: dict[str, Any] = call(client.info)
    finally:
        call(client.close)
    yield Figure(name="server", value=_name_redis(info))
    yield from _judge_limits(alias, info)


def _judge_limits(alias: str, info: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what a server does once it is full, and whether that is soon; without a limit it never is."""
    limit, policy = int(info.get("maxmemory", 0)), str(info.get("maxmemory_policy", "noeviction"))
    used, evicted = int(info.get("used_memory", 0)), int(info.get("evicted_keys", 0))
    if limit and policy != "noeviction":
        yield _evicts(alias, f"'maxmemory-policy' {policy!r} and 'maxmemory' {limit!r}", evicted)
    if limit and policy == "noeviction" and used > NEARLY * limit:
        yield Finding(
            id="cache-nearly-full",
            level=Level.WARNING,
            what=f"The server of CACHES[{alias!r}] uses {used!r} of its {limit!r} bytes: once it is full, it refuses "
            "what tasks report.",
            cure="Raise 'maxmemory', or give tasks a server of their own: TASKS_APP['CACHE'].",
        )
    if 0 < limit < ENOUGH_BYTES:
        yield _too_small(alias, limit, "'maxmemory'")


def _name_redis(info: Mapping[str, Any]) -> str:
    name = info.get("server_name", "redis")
    return f"{name} {info.get(f'{name}_version', info.get('redis_version', ''))}".strip()


def _examine_clock(theirs: float, before: float, after: float) -> Iterator[Result]:
    if (apart := max(before - theirs, theirs - after)) > APART:
        yield Finding(
            id="clocks-apart",
            level=Level.WARNING,
            what=f"The clock of the cache's server and that of this machine are {apart:.1f} s apart.",
            cure="Have all machines set their clocks by NTP: the ends of tokens, and what people see, go by them.",
        )


def _examine_memcached(alias: str, place: str) -> Iterator[Result]:
    stats = call(_ask_memcached, place, seconds=2 * SERVER_SECONDS)
    limit, evicted = int(stats.get("limit_maxbytes", 0)), int(stats.get("evictions", 0))
    yield Figure(name="server", value=f"memcached {stats.get('version', '')}".strip())
    if 0 < limit < ENOUGH_BYTES:
        yield _too_small(alias, limit, "-m")
    elif evicted:
        yield _evicts(alias, f"-m {limit // 1024 // 1024!r}", evicted)


def _ask_memcached(place: str) -> dict[str, str]:
    """Return what memcached says of itself, by its text protocol: each package has another name for that."""
    with _open_socket(place.removeprefix("unix:")) as connection, connection.makefile("rwb") as stream:
        stream.write(b"stats\r\n")
        stream.flush()
        lines = iter(lambda: stream.readline().decode("ascii", "replace").split(), ["END"])
        return {words[1]: words[2] for words in _until_closed(lines) if len(words) == 3}


def _until_closed(lines: Iterator[list[str]]) -> Iterator[list[str]]:
    for words in lines:
        if not words:
            raise ConnectionError("the server closed the connection")
        yield words


def _open_socket(place: str) -> socket.socket:
    if "/" in place:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(SERVER_SECONDS)
        connection.connect(place)
        return connection
    host, _, port = place.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), SERVER_SECONDS)


def _evicts(alias: str, limits: str, evicted: int) -> Finding:
    done = f" It has done so {evicted!r} times." if evicted else ""
    return Finding(
        id="cache-evicts",
        level=Level.WARNING,
        what=f"The server of CACHES[{alias!r}] has {limits}: once it is full, it drops values, also "
        f"those of tasks that run.{done}",
        cure="Give tasks a server of their own with room for all, which evicts nothing ('noeviction'), and name it "
        "by TASKS_APP['CACHE'].",
    )


def _too_small(alias: str, limit: int, name: str) -> Finding:
    return Finding(
        id="cache-too-small",
        level=Level.WARNING,
        what=f"The server of CACHES[{alias!r}] has {limit!r} bytes ({name}): not enough for ten thousand tasks.",
        cure=f"Give it {ENOUGH_BYTES // 1024 // 1024!r} MB or more.",
    )
