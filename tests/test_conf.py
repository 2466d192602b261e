"""`TASKS_APP`: its defaults, what it may hold, and that a change is in force at once."""

from dataclasses import FrozenInstanceError, asdict, fields
from types import MappingProxyType

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from tasks_app.conf import Settings, find_mistakes, get_settings

DEFAULTS = {
    "STARTABLE": {},
    "DEFAULT_TASK": None,
    "ALLOW_ANONYMOUS_START": False,
    "OWNERLESS": "staff",
    "POLICY": "tasks_app.permissions.Policy",
    "CACHE": "default",
    "CHANNEL_LAYER": "default",
    "FLUSH_INTERVAL": 0.1,
    "SWEEP_INTERVAL": 1.0,
    "HEARTBEAT": 5,
    "STALLED_AFTER": 15,
    "LOST_AFTER": 60,
    "QUEUED_LOST_AFTER": 3600,
    "ON_LOST": "continue",
    "KEEPALIVE": 15,
    "RETRY_MS": 2000,
    "RETENTION": 3600,
    "ACTIVE_TTL": 86400,
    "MAX_STREAMS": 10000,
    "MAX_STREAMS_PER_CLIENT": 50,
    "MAX_REQUESTS_PER_CLIENT": 2,
    "MAX_UNFINISHED_PER_CLIENT": 100,
    "START_RATE": "600/m",
    "MAX_TASKS_PER_STREAM": 100,
    "MAX_STREAM_SECONDS": None,
    "TOKEN_MAX_AGE": 900,
    "RECHECK_ACCESS": 60,
    "MAX_WRITE_BUFFER": 1_048_576,
    "MAX_BUFFERED_BYTES": 268_435_456,
    "METRICS_TOKEN": None,
    "UNTRACKED": None,
    "MAX_BODY": 65536,
    "RESULT_MAX_BYTES": 65536,
    "MAX_STAGES": 200,
    "MAX_CHILDREN": 10_000,
    "LOG_LINES": 1000,
    "LOG_BYTES": 262_144,
    "CAPTURE_TQDM": False,
    "EXPOSE_ERRORS": None,
    "RECORD_TRACEBACKS": None,
    "RECORD_ARGUMENTS": None,
    "HIDDEN_ARGUMENTS": "api|auth|token|key|secret|pass|signature|cookie|credential|session",
}

NUMBERS = [
    "FLUSH_INTERVAL",
    "SWEEP_INTERVAL",
    "HEARTBEAT",
    "STALLED_AFTER",
    "LOST_AFTER",
    "QUEUED_LOST_AFTER",
    "KEEPALIVE",
    "RETENTION",
    "ACTIVE_TTL",
    "MAX_STREAM_SECONDS",
    "TOKEN_MAX_AGE",
    "RECHECK_ACCESS",
]
WHOLE_NUMBERS = [
    "RETRY_MS",
    "MAX_STREAMS",
    "MAX_TASKS_PER_STREAM",
    "MAX_WRITE_BUFFER",
    "MAX_BUFFERED_BYTES",
    "MAX_BODY",
    "RESULT_MAX_BYTES",
    "MAX_STAGES",
    "MAX_CHILDREN",
    "LOG_LINES",
    "LOG_BYTES",
]
LIMITS_OF_CLIENTS = ["MAX_STREAMS_PER_CLIENT", "MAX_REQUESTS_PER_CLIENT", "MAX_UNFINISHED_PER_CLIENT"]
TEXTS = ["POLICY", "CACHE", "CHANNEL_LAYER"]

BAD_VALUES = [
    ("ON_LOST", None),
    ("ON_LOST", True),
    ("ON_LOST", []),
    ("ON_LOST", "stop"),
    *((key, value) for key in NUMBERS for value in (0, -1, "1", True, float("nan"), float("inf"))),
    *((key, value) for key in WHOLE_NUMBERS for value in (0, -1, 1.5, "1", True, None)),
    *((key, value) for key in TEXTS for value in ("", 1, None)),
    *((key, 0.5) for key in ("RETENTION", "ACTIVE_TTL")),
    *((key, value) for key in LIMITS_OF_CLIENTS for value in (0, -1, 1.5, "1", True)),
    *(("START_RATE", value) for value in ("", "60", "60/x", "0/m", "60/0s", "-1/m", "1.5/s", "60 / m", "60/m\n", 60)),
    ("DEFAULT_TASK", 1),
    ("DEFAULT_TASK", ""),
    ("ALLOW_ANONYMOUS_START", 1),
    ("ALLOW_ANONYMOUS_START", None),
    ("CAPTURE_TQDM", None),
    *(("METRICS_TOKEN", value) for value in ("", 1)),
    *((key, "yes") for key in ("EXPOSE_ERRORS", "RECORD_TRACEBACKS", "RECORD_ARGUMENTS")),
    *(("HIDDEN_ARGUMENTS", value) for value in ("", "(", None, ["password"])),
    *(("UNTRACKED", value) for value in ("", "(", ["shop.tasks.tick"])),
    ("STARTABLE", ["tests.support.jobs.add"]),
    ("STARTABLE", {"add": None}),
    ("STARTABLE", {1: "tests.support.jobs.add"}),
    ("STARTABLE", None),
]

GOOD_VALUES = [
    {},
    {"RETENTION": 1, "ACTIVE_TTL": 6},
    {"MAX_STREAM_SECONDS": 0.5},
    {**dict.fromkeys(LIMITS_OF_CLIENTS), "START_RATE": None},
    {**dict.fromkeys(LIMITS_OF_CLIENTS, 1), "START_RATE": "5/10s"},
    {"EXPOSE_ERRORS": True},
    {"ON_LOST": "cancel"},
    {"EXPOSE_ERRORS": None},
    {"RECORD_TRACEBACKS": True, "RECORD_ARGUMENTS": False, "HIDDEN_ARGUMENTS": "(?!)"},
    {"FLUSH_INTERVAL": 0.05, "HEARTBEAT": 0.1, "STALLED_AFTER": 0.2, "LOST_AFTER": 0.3},
    {"STARTABLE": MappingProxyType({"add": "tests.support.jobs.add"}), "DEFAULT_TASK": "add"},
]


@pytest.mark.parametrize("key", DEFAULTS)
def test_default_is_the_documented_one(key):
    assert getattr(Settings(), key) == DEFAULTS[key]


def test_no_setting_is_undocumented():
    assert {item.name for item in fields(Settings)} == set(DEFAULTS)


def test_defaults_have_no_mistake():
    assert list(find_mistakes(asdict(Settings()))) == []


@pytest.mark.parametrize("given", GOOD_VALUES)
def test_allowed_value_is_no_mistake(given):
    assert list(find_mistakes(given)) == []


@pytest.mark.parametrize(("key", "value"), BAD_VALUES)
def test_bad_value_is_named_with_what_is_allowed(key, value):
    mistake = next(item for item in find_mistakes({key: value}) if item.key == key)
    assert repr(key) in mistake.message
    assert repr(value) in mistake.message
    assert mistake.hint.startswith("It must be ")
    assert not mistake.is_unknown_key


@pytest.mark.parametrize(
    ("unknown", "nearest"),
    [
        ("STARTABEL", "STARTABLE"),
        ("flush_interval", "FLUSH_INTERVAL"),
        ("MAX_STREAM", "MAX_STREAMS"),
        ("RETENTION_SECONDS", "RETENTION"),
    ],
)
def test_unknown_key_names_the_nearest_known_one(unknown, nearest):
    (mistake,) = find_mistakes({unknown: 1})
    assert repr(unknown) in mistake.message
    assert repr(nearest) in mistake.hint
    assert mistake.is_unknown_key


@pytest.mark.parametrize("unknown", ["", "ŋ", 7, None])
def test_key_that_resembles_nothing_is_still_a_mistake(unknown):
    assert [item.is_unknown_key for item in find_mistakes({unknown: 1})] == [True]


def test_every_mistake_is_found_at_once():
    mistakes = list(find_mistakes({"NO_SUCH": 1, "CACHE": "", "RETRY_MS": 0}))
    assert [item.key for item in mistakes] == ["NO_SUCH", "CACHE", "RETRY_MS"]


@pytest.mark.parametrize("given", [None, [], "STARTABLE", [("CACHE", "default")]])
def test_value_that_is_no_dict_is_named(given):
    (mistake,) = find_mistakes(given)
    assert repr(given) in mistake.message


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"HEARTBEAT": 15}, "STALLED_AFTER"),
        ({"HEARTBEAT": 20}, "STALLED_AFTER"),
        ({"STALLED_AFTER": 60}, "LOST_AFTER"),
        ({"LOST_AFTER": 10}, "LOST_AFTER"),
        ({"QUEUED_LOST_AFTER": 15}, "QUEUED_LOST_AFTER"),
        ({"STALLED_AFTER": 3}, "STALLED_AFTER"),
        ({"FLUSH_INTERVAL": 15}, "STALLED_AFTER"),
        ({"ACTIVE_TTL": 5}, "ACTIVE_TTL"),
    ],
)
def test_times_out_of_order_are_a_contradiction(given, key):
    (mistake,) = find_mistakes(given)
    assert mistake.key == key
    assert mistake.hint.startswith(f"{key} must be greater than ")


def test_default_task_must_be_startable():
    (mistake,) = find_mistakes({"STARTABLE": {"b": "x.b", "a": "x.a"}, "DEFAULT_TASK": "c"})
    assert mistake.message == "TASKS_APP['DEFAULT_TASK'] is 'c'."
    assert mistake.hint == "It must be a name in STARTABLE: ['a', 'b']."


def test_bad_settings_raise_when_they_are_read():
    with (
        override_settings(TASKS_APP={"CACHE": ""}),
        pytest.raises(ImproperlyConfigured, match=r"TASKS_APP\['CACHE'\] is ''\. It must be a string"),
    ):
        get_settings()


def test_override_is_in_force_at_once_and_no_longer_than_its_block():
    before = get_settings()
    with override_settings(TASKS_APP={"RETENTION": 7}):
        assert get_settings().RETENTION == 7
    assert get_settings() == before


def test_missing_setting_means_the_defaults(settings):
    settings.TASKS_APP = {}  # makes the settings be read anew
    del settings.TASKS_APP
    assert get_settings() == Settings()


@pytest.mark.parametrize(
    ("expose_errors", "debug", "expected"),
    [(None, True, True), (None, False, False), (False, True, False), (True, False, True)],
)
def test_errors_are_exposed_as_set_and_else_in_debug(settings, expose_errors, debug, expected):
    settings.TASKS_APP = {"EXPOSE_ERRORS": expose_errors}
    settings.DEBUG = debug
    assert get_settings().exposes_errors is expected


def test_settings_can_not_be_changed_in_place():
    with pytest.raises(FrozenInstanceError):
        get_settings().RETENTION = 1  # type: ignore[misc]
