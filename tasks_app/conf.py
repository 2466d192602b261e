"""The settings of this app, from the dict `TASKS_APP` in the settings of the host project."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from .utils.lazy import per_process
from .utils.rate import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The keys of `TASKS_APP` with their defaults; times are in seconds unless noted."""

    #: Name → dotted path of the tasks that `POST /start-task` may start.
    STARTABLE: Mapping[str, str] = field(default_factory=dict)
    #: The name that `POST /start-task` starts for an empty body; None: an empty body is refused.
    DEFAULT_TASK: str | None = None
    #: Whether visitors may start tasks without logging in. What they start is open to those who know its id.
    ALLOW_ANONYMOUS_START: bool = False
    #: Who sees a task without an owner: "staff" alone, or all who know its "id"; only staff may cancel it.
    OWNERLESS: str = "staff"
    #: Dotted path of the class with the rules for starting, seeing, cancelling and listing tasks.
    POLICY: str = "tasks_app.permissions.Policy"
    #: Alias, in CACHES, of the cache that stores the tasks.
    CACHE: str = "default"
    #: Alias, in CHANNEL_LAYERS, of the layer that carries wake-ups between processes.
    CHANNEL_LAYER: str = "default"
    #: Least time between two writes of a process; the first change after a pause is written at once.
    FLUSH_INTERVAL: float = 0.1
    #: Time between two batched reads of all watched tasks, in case a wake-up is lost, and of cancel requests.
    SWEEP_INTERVAL: float = 1.0
    #: Time between two heartbeats of a task that reports nothing.
    HEARTBEAT: float = 5
    #: Time without report or heartbeat after which viewers see a task as `stalled`.
    STALLED_AFTER: float = 15
    #: Time without report or heartbeat after which a task is declared lost.
    LOST_AFTER: float = 60
    #: Time after which a task is declared lost that waited for an executor elsewhere and that the cache has lost.
    QUEUED_LOST_AFTER: float = 3600
    #: Whether a job whose task was declared lost while its process was cut off, or begun again elsewhere, runs on
    #: ("continue") or is asked to stop ("cancel"). A task that was not begun again is taken back from lost either way.
    ON_LOST: str = "continue"
    #: Regular expression for the whole names of Celery tasks that are not tracked; None: all of the project are.
    UNTRACKED: str | None = None
    #: Longest time without any bytes on an open stream.
    KEEPALIVE: float = 15
    #: Milliseconds an EventSource waits before it reconnects; drawn ± 50 % for each connection.
    RETRY_MS: int = 2000
    #: Time for which a task stays visible after its end.
    RETENTION: float = 3600
    #: Time after the last write for which a task that has not ended is kept.
    ACTIVE_TTL: float = 86400
    #: Open streams per process; further ones are answered with 503.
    MAX_STREAMS: int = 10000
    #: Open streams per process of one client, as `Policy.identify` names it; further ones are answered with 429.
    MAX_STREAMS_PER_CLIENT: int | None = 50
    #: Requests of one address that Django has in work at a time, per process, with `tasks_app.asgi.wrap`; others wait.
    MAX_REQUESTS_PER_CLIENT: int | None = 2
    #: Tasks that one client has started by `POST /start-task` and that have not ended; more are answered with 429.
    MAX_UNFINISHED_PER_CLIENT: int | None = 100
    #: How often one client may start a task by `POST /start-task`, such as "600/m" or "5/10s".
    START_RATE: str | None = "600/m"
    #: Tasks on one stream.
    MAX_TASKS_PER_STREAM: int = 100
    #: Lifetime of a stream, drawn ± 20 %; None: as long as the task lives.
    MAX_STREAM_SECONDS: float | None = None
    #: Time for which a token, or a yes of the policy, shows a task; then the stream ends, and its client comes back.
    TOKEN_MAX_AGE: float = 900
    #: Time after which the policy is asked again whether the caller may see the tasks of an open stream.
    RECHECK_ACCESS: float = 60
    #: Unsent bytes above which a stream waits, on a server without backpressure; see `tasks_app.asgi`.
    MAX_WRITE_BUFFER: int = 1_048_576
    #: Unsent bytes of all streams of a process, above which those with the slowest readers are cut.
    MAX_BUFFERED_BYTES: int = 268_435_456
    #: The bearer token that shows a scraper the metrics of `tasks_app.contrib.prometheus`; None: only staff see them.
    METRICS_TOKEN: str | None = None
    #: Bytes allowed in a request's body.
    MAX_BODY: int = 65536
    #: Bytes allowed in a task's result, and in its `meta`, as JSON.
    RESULT_MAX_BYTES: int = 65536
    #: Stages that a job may declare, since each of its snapshots carries all of them.
    MAX_STAGES: int = 200
    #: Children that a task may have, or calls of a batch.
    MAX_CHILDREN: int = 10_000
    #: Log lines kept per task.
    LOG_LINES: int = 1000
    #: Bytes of the log lines kept per task, as JSON.
    LOG_BYTES: int = 262_144
    #: Whether the bars of tqdm and rich that jobs make are shown, as in `with progress.capture():`.
    CAPTURE_TQDM: bool = False
    #: Whether viewers see the messages of exceptions; None: only if DEBUG is on.
    EXPOSE_ERRORS: bool | None = None
    #: Whether the tracebacks of jobs are recorded, for staff in the monitor alone; None: only if DEBUG is on.
    RECORD_TRACEBACKS: bool | None = None
    #: Whether the arguments of jobs are recorded, for staff in the monitor alone; None: only if DEBUG is on.
    RECORD_ARGUMENTS: bool | None = None
    #: Regular expression, without regard to case, for the names of arguments and keys whose values are masked.
    HIDDEN_ARGUMENTS: str = "api|auth|token|key|secret|pass|signature|cookie|credential|session"

    @property
    def exposes_errors(self) -> bool:
        """Whether viewers see the messages of exceptions: EXPOSE_ERRORS, or DEBUG where that is None."""
        return _or_debug(self.EXPOSE_ERRORS)

    @property
    def records_tracebacks(self) -> bool:
        """Whether tracebacks are recorded for staff: RECORD_TRACEBACKS, or DEBUG where that is None."""
        return _or_debug(self.RECORD_TRACEBACKS)

    @property
    def records_arguments(self) -> bool:
        """Whether arguments are recorded for staff: RECORD_ARGUMENTS, or DEBUG where that is None."""
        return _or_debug(self.RECORD_ARGUMENTS)


def _or_debug(value: bool | None) -> bool:
    return django_settings.DEBUG if value is None else value


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake in `TASKS_APP`, and how to fix it."""

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
    """Yield each mistake in `given`, a value of the `TASKS_APP` setting."""
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


#: Pairs of times, the shorter one first; otherwise running tasks would stall, be lost or expire.
_SHORTER_FIRST = (
    ("HEARTBEAT", "STALLED_AFTER"),
    ("FLUSH_INTERVAL", "STALLED_AFTER"),
    ("STALLED_AFTER", "LOST_AFTER"),
    ("STALLED_AFTER", "QUEUED_LOST_AFTER"),
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
                f"{longer} must be greater than {shorter}.",
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


#: The longest time that a setting may have, about 30 years; every platform can wait for it.
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


def _is_pattern(value: object) -> bool:
    try:
        return isinstance(value, str) and value != "" and re.compile(value) is not None
    except re.error:
        return False


def _is_rate(value: object) -> bool:
    try:
        return isinstance(value, str) and Rate.parse(value) is not None
    except ValueError:
        return False


_TEXT = _Rule(lambda value: isinstance(value, str) and value != "", "a string that is not empty")
_PATTERN = _Rule(_is_pattern, "a regular expression that is not empty; '(?!)' matches nothing")
_RATE = _Rule(_is_rate, "a rate such as '600/m' or '5/10s'; the units are s, m, h and d")
_FLAG = _Rule(lambda value: isinstance(value, bool), "True or False")

# Redis cuts a TTL to whole seconds, so RETENTION and ACTIVE_TTL must be at least 1.
_RULES: Mapping[str, _Rule] = {
    "STARTABLE": _Rule(_is_str_mapping, "a dict of names to dotted paths"),
    "DEFAULT_TASK": _optional(_TEXT),
    "ALLOW_ANONYMOUS_START": _FLAG,
    "OWNERLESS": _choice("staff", "id"),
    "POLICY": _TEXT,
    "CACHE": _TEXT,
    "CHANNEL_LAYER": _TEXT,
    "FLUSH_INTERVAL": _number(at_least=0.001),
    "SWEEP_INTERVAL": _number(at_least=0.01),
    "HEARTBEAT": _number(at_least=0.01),
    "STALLED_AFTER": _number(at_least=0.01),
    "LOST_AFTER": _number(at_least=0.01),
    "QUEUED_LOST_AFTER": _number(at_least=0.01),
    "ON_LOST": _choice("continue", "cancel"),
    "UNTRACKED": _optional(_PATTERN),
    "KEEPALIVE": _number(at_least=0.01),
    "RETRY_MS": _whole(at_least=1),
    "RETENTION": _number(at_least=1),
    "ACTIVE_TTL": _number(at_least=1),
    "MAX_STREAMS": _whole(at_least=1),
    "MAX_STREAMS_PER_CLIENT": _optional(_whole(at_least=1)),
    "MAX_REQUESTS_PER_CLIENT": _optional(_whole(at_least=1)),
    "MAX_UNFINISHED_PER_CLIENT": _optional(_whole(at_least=1)),
    "START_RATE": _optional(_RATE),
    "MAX_TASKS_PER_STREAM": _whole(at_least=1),
    "MAX_STREAM_SECONDS": _optional(_number(at_least=0.01)),
    "TOKEN_MAX_AGE": _number(at_least=1),
    "RECHECK_ACCESS": _number(at_least=0.01),
    "MAX_WRITE_BUFFER": _whole(at_least=1),
    "MAX_BUFFERED_BYTES": _whole(at_least=1),
    "METRICS_TOKEN": _optional(_TEXT),
    "MAX_BODY": _whole(at_least=1),
    "RESULT_MAX_BYTES": _whole(at_least=1),
    "MAX_STAGES": _whole(at_least=1),
    "MAX_CHILDREN": _whole(at_least=1),
    "LOG_LINES": _whole(at_least=1),
    "LOG_BYTES": _whole(at_least=1),
    "CAPTURE_TQDM": _FLAG,
    "EXPOSE_ERRORS": _optional(_FLAG),
    "RECORD_TRACEBACKS": _optional(_FLAG),
    "RECORD_ARGUMENTS": _optional(_FLAG),
    "HIDDEN_ARGUMENTS": _PATTERN,
}
