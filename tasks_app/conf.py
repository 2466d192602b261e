"""The settings of this app: one dict, `TASKS_APP`, in the settings of the host project."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from .utils.lazy import per_process


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `TASKS_APP` may hold, with the defaults; times are in seconds unless said otherwise."""

    #: Name → dotted path of the tasks that `POST /start-task` may start.
    STARTABLE: Mapping[str, str] = field(default_factory=dict)
    #: The name that an empty body starts; None: an empty body is refused.
    DEFAULT_TASK: str | None = None
    #: May visitors who are not logged in start tasks?
    ALLOW_ANONYMOUS_START: bool = False
    #: Dotted path of the class that says who may start, see, cancel and list.
    POLICY: str = "tasks_app.permissions.Policy"
    #: Alias, in CACHES, of the cache that holds the state of tasks.
    CACHE: str = "default"
    #: Alias, in CHANNEL_LAYERS, of the layer that carries wake-ups between processes.
    CHANNEL_LAYER: str = "default"
    #: Least time between two writes of a process; the first change after a pause goes out at once.
    FLUSH_INTERVAL: float = 0.1
    #: The safety net: time between two batched reads of every watched task.
    SWEEP_INTERVAL: float = 1.0
    #: Time between two signs of life of a task that reports nothing.
    HEARTBEAT: float = 5
    #: Silence after which viewers see `stalled`.
    STALLED_AFTER: float = 15
    #: Silence after which a task is declared lost.
    LOST_AFTER: float = 60
    #: What becomes of a job that runs on although it was declared lost: "continue", unseen, or "cancel".
    ON_LOST: str = "continue"
    #: Longest silence on an open stream.
    KEEPALIVE: float = 15
    #: Milliseconds an EventSource waits before it reconnects; drawn ± 50 % for each connection.
    RETRY_MS: int = 2000
    #: How long a task can be seen after its end.
    RETENTION: float = 3600
    #: How long a task that has not ended is kept without any write.
    ACTIVE_TTL: float = 86400
    #: Open streams per process; one more is answered with 503.
    MAX_STREAMS: int = 10000
    #: Tasks on one multiplexed stream.
    MAX_TASKS_PER_STREAM: int = 100
    #: Lifetime of a stream, drawn ± 20 %; None: as long as the task lives.
    MAX_STREAM_SECONDS: float | None = None
    #: Bytes that may wait for a reader of a stream, on a server without backpressure; see `tasks_app.asgi`.
    MAX_WRITE_BUFFER: int = 1_048_576
    #: Bytes that a request's body may have.
    MAX_BODY: int = 65536
    #: Bytes that a task's result, or its meta, may have as JSON.
    RESULT_MAX_BYTES: int = 65536
    #: Log lines kept for a task.
    LOG_LINES: int = 1000
    #: Do viewers see the message of the exception that failed a task? None: only when DEBUG is on.
    EXPOSE_ERRORS: bool | None = None

    @property
    def exposes_errors(self) -> bool:
        """EXPOSE_ERRORS, with its default resolved."""
        return django_settings.DEBUG if self.EXPOSE_ERRORS is None else self.EXPOSE_ERRORS


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with `TASKS_APP`."""

    key: str
    message: str
    hint: str
    is_unknown_key: bool = False


@per_process("TASKS_APP")
def get_settings() -> Settings:
    """Return the settings in force.

    Raises:
        ImproperlyConfigured: `TASKS_APP` has an unknown key or a bad value.
    """
    given = getattr(django_settings, "TASKS_APP", {})
    for mistake in find_mistakes(given):
        raise ImproperlyConfigured(f"{mistake.message} {mistake.hint}")
    return Settings(**given)


def find_mistakes(given: object) -> Iterator[Mistake]:
    """Yield everything that is wrong with a value of the `TASKS_APP` setting."""
    if not isinstance(given, Mapping):
        yield Mistake("TASKS_APP", f"TASKS_APP must be a dict, not {given!r}.", "")
        return
    for key, value in given.items():
        if key not in _RULES:
            yield Mistake(key, f"TASKS_APP has an unknown key, {key!r}.", _suggest(key), is_unknown_key=True)
        elif not _RULES[key].accepts(value):
            yield Mistake(key, f"TASKS_APP[{key!r}] is {value!r}.", f"It must be {_RULES[key].wanted}.")
    yield from _find_contradictions(given)


def _suggest(key: object) -> str:
    names = [item.name for item in fields(Settings)]
    close = difflib.get_close_matches(str(key).upper(), names, n=1, cutoff=0.0)
    return f"Did you mean {close[0]!r}?"


#: Pairs of times of which the first must be the shorter one: else tasks that live would be taken for dead.
_SHORTER_FIRST = (
    ("HEARTBEAT", "STALLED_AFTER"),
    ("FLUSH_INTERVAL", "STALLED_AFTER"),
    ("STALLED_AFTER", "LOST_AFTER"),
    ("HEARTBEAT", "ACTIVE_TTL"),
)


def _find_contradictions(given: Mapping[str, Any]) -> Iterator[Mistake]:
    defaults = Settings()
    for shorter, longer in _SHORTER_FIRST:
        values = [given.get(key, getattr(defaults, key)) for key in (shorter, longer)]
        if all(map(_is_number, values)) and not values[0] < values[1]:
            yield Mistake(
                longer,
                f"TASKS_APP has {shorter} {values[0]!r} and {longer} {values[1]!r}.",
                f"{longer} must be the greater one.",
            )
    names, default = given.get("STARTABLE", {}), given.get("DEFAULT_TASK")
    if isinstance(names, Mapping) and isinstance(default, str) and default not in names:
        yield Mistake(
            "DEFAULT_TASK",
            f"TASKS_APP['DEFAULT_TASK'] is {default!r}.",
            f"It must be a name in STARTABLE: {sorted(map(str, names))!r}.",
        )


@dataclass(frozen=True, slots=True)
class _Rule:
    accepts: Callable[[Any], bool]
    wanted: str


#: What the clocks of every platform can wait for; about 30 years.
MAX_SECONDS = 1e9


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(*, at_least: float) -> _Rule:
    return _Rule(
        lambda value: _is_number(value) and at_least <= value <= MAX_SECONDS,
        f"a number of at least {at_least:g} and at most {MAX_SECONDS:g}",
    )


def _whole(*, at_least: int) -> _Rule:
    return _Rule(
        lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= at_least,
        f"a whole number of at least {at_least}",
    )


def _choice(*allowed: str) -> _Rule:
    return _Rule(lambda value: value in allowed, f"one of {allowed!r}")


def _optional(rule: _Rule) -> _Rule:
    return _Rule(lambda value: value is None or rule.accepts(value), f"None or {rule.wanted}")


def _is_str_mapping(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(item, str) for pair in value.items() for item in pair)


_TEXT = _Rule(lambda value: isinstance(value, str) and value != "", "a string that is not empty")
_FLAG = _Rule(lambda value: isinstance(value, bool), "True or False")

# Redis turns a TTL into whole seconds, so RETENTION and ACTIVE_TTL start at 1.
_RULES: Mapping[str, _Rule] = {
    "STARTABLE": _Rule(_is_str_mapping, "a dict of names to dotted paths"),
    "DEFAULT_TASK": _optional(_TEXT),
    "ALLOW_ANONYMOUS_START": _FLAG,
    "POLICY": _TEXT,
    "CACHE": _TEXT,
    "CHANNEL_LAYER": _TEXT,
    "FLUSH_INTERVAL": _number(at_least=0.001),
    "SWEEP_INTERVAL": _number(at_least=0.01),
    "HEARTBEAT": _number(at_least=0.01),
    "STALLED_AFTER": _number(at_least=0.01),
    "LOST_AFTER": _number(at_least=0.01),
    "ON_LOST": _choice("continue", "cancel"),
    "KEEPALIVE": _number(at_least=0.01),
    "RETRY_MS": _whole(at_least=1),
    "RETENTION": _number(at_least=1),
    "ACTIVE_TTL": _number(at_least=1),
    "MAX_STREAMS": _whole(at_least=1),
    "MAX_TASKS_PER_STREAM": _whole(at_least=1),
    "MAX_STREAM_SECONDS": _optional(_number(at_least=0.01)),
    "MAX_WRITE_BUFFER": _whole(at_least=1),
    "MAX_BODY": _whole(at_least=1),
    "RESULT_MAX_BYTES": _whole(at_least=1),
    "LOG_LINES": _whole(at_least=1),
    "EXPOSE_ERRORS": _optional(_FLAG),
}
