"""Each system check fires on what it is for, says what to do, and is silent on a good project."""

import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from typing import Any

import django
import pytest
from django.core import checks
from django.urls import path
from django.views.static import serve

from tasks_app.asgi import wrap
from tasks_app.backends import InProcessBackend
from tasks_app.checks import (
    check_cache,
    check_channel_layer,
    check_policy,
    check_server,
    check_settings,
    check_static_files,
    check_tasks,
    check_templates,
)
from tasks_app.deploy_checks import check_eviction, check_lane, check_web_processes
from tasks_app.lifecycle import compat
from tasks_app.permissions import Policy
from tasks_app.wakeups import layer_backend
from tests.support import jobs

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
FILE = "django.core.cache.backends.filebased.FileBasedCache"
REDIS = "django.core.cache.backends.redis.RedisCache"
DATABASE = "django.core.cache.backends.db.DatabaseCache"
DJANGO_TEMPLATES = "django.template.backends.django.DjangoTemplates"
IMMEDIATE = f"{compat.BaseTaskBackend.__module__.removesuffix('.base')}.immediate.ImmediateBackend"
DUMMY = IMMEDIATE.replace("immediate.Immediate", "dummy.Dummy")


urlpatterns = [path("served/<path:path>", serve)]


class NotAPolicy:
    can_start = can_view = None

    def can_cancel(self) -> None: ...


class GreedyPolicy(Policy):
    def __init__(self, needed: object) -> None:
        pass


class RemoteBackend(compat.BaseTaskBackend):
    """One whose tasks run elsewhere."""

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        raise NotImplementedError


class OwnBackend(InProcessBackend):
    """One of a project's own."""


CHECKS = (
    check_settings,
    check_tasks,
    check_policy,
    check_cache,
    check_channel_layer,
    check_server,
    check_templates,
    check_static_files,
)


def run() -> dict[str, checks.CheckMessage]:
    """Run all checks of the app; return the messages by id."""
    found = [message for check in CHECKS for message in check(None)]
    for message in found:
        assert message.hint, f"{message.id} has no hint"
    by_id = {message.id.removeprefix("tasks_app."): message for message in found}
    assert len(by_id) == len(found), f"an id came twice: {found}"
    return by_id


@pytest.fixture
def configure(settings):
    """Change some keys of TASKS_APP."""

    def change(**values: Any) -> None:
        settings.TASKS_APP = {**settings.TASKS_APP, **values}

    return change


def test_good_project_has_nothing_to_hear():
    assert run() == {}


def test_checks_are_registered():
    registered = checks.registry.registry.registered_checks
    assert set(CHECKS) <= registered


def test_app_with_no_setting_at_all_passes(settings):
    del settings.TASKS_APP
    assert run() == {}


# Settings


def test_unknown_key_names_the_nearest(configure):
    configure(STARTABEL={})
    found = run()
    assert found.keys() == {"E001"}
    assert ("'STARTABEL'" in found["E001"].msg, "'STARTABLE'" in found["E001"].hint) == (True, True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("FLUSH_INTERVAL", 0),
        ("FLUSH_INTERVAL", "0.1"),
        ("KEEPALIVE", -1),
        ("LOST_AFTER", 10),
        ("RETENTION", float("nan")),
        ("MAX_STREAMS", 1.5),
        ("ALLOW_ANONYMOUS_START", "yes"),
        ("STARTABLE", ["add"]),
        ("DEFAULT_TASK", "not startable"),
        ("POLICY", None),
    ],
)
def test_bad_value_is_named(configure, key, value):
    configure(**{key: value})
    found = run()
    assert found.keys() == {"E002"}
    assert (key in found["E002"].msg, repr(value) in found["E002"].msg) == (True, True)


def test_setting_that_is_no_dict_is_named(settings):
    settings.TASKS_APP = ["STARTABLE"]
    (message,) = check_settings(None)
    assert (message.id, message.msg) == ("tasks_app.E002", "TASKS_APP must be a dict, not ['STARTABLE'].")


# Tasks


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no_such_module.report", "ModuleNotFoundError"),
        ("tests.support.jobs.no_such_task", "ImportError"),
        ("nodots", "ImportError"),
        ("tests.support.jobs.gate", "TypeError"),
        ("tests.support.jobs", "TypeError"),
        ("tests.broken_module.report", "ZeroDivisionError"),
    ],
)
def test_startable_path_that_is_no_task_is_named(configure, monkeypatch, path, reason):
    if "broken" in path:
        monkeypatch.setattr("tasks_app.lifecycle.names.import_string", lambda path: 1 / 0)
    configure(STARTABLE={"odd": path}, DEFAULT_TASK=None)
    found = run()
    assert found.keys() == {"E003"}
    assert ("'odd'" in found["E003"].msg, path in found["E003"].msg, reason in found["E003"].msg) == (True, True, True)


def test_undecorated_function_is_no_task(configure, monkeypatch):
    monkeypatch.setattr(jobs, "plain", jobs.add.func, raising=False)
    configure(STARTABLE={"odd": "tests.support.jobs.plain"}, DEFAULT_TASK=None)
    assert run().keys() == {"E003"}


def test_django_without_tasks_is_an_error(monkeypatch):
    monkeypatch.setattr(compat, "has_tasks", False)
    found = run()
    assert found.keys() == {"E004"}
    assert (django.get_version() in found["E004"].msg, "pip install django-tasks" in found["E004"].hint) == (
        True,
        True,
    )


@pytest.mark.parametrize(("backend", "number"), [(IMMEDIATE, "W004"), (DUMMY, "W005")])
def test_startable_task_on_a_backend_for_tests_is_warned_of(settings, configure, backend, number):
    settings.TASKS = {"default": {"BACKEND": backend}}
    configure(STARTABLE={"add": "tests.support.jobs.add"}, DEFAULT_TASK=None)
    found = run()
    assert found.keys() == {number}
    assert "tasks_app.backends.InProcessBackend" in found[number].hint


def test_immediate_backend_without_startable_tasks_is_fine(settings, configure):
    settings.TASKS = {"default": {"BACKEND": IMMEDIATE}}
    configure(STARTABLE={}, DEFAULT_TASK=None)
    assert run() == {}


# Policy


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no_such_module.Policy", "ModuleNotFoundError"),
        ("tasks_app.permissions.NoSuchPolicy", "ImportError"),
        (f"{__name__}.GreedyPolicy", "TypeError"),
        ("tests.support.jobs.gate", "TypeError"),
        (f"{__name__}.NotAPolicy", "lacks ['can_start', 'can_view', 'can_list']"),
    ],
)
def test_policy_that_can_not_be_asked_is_an_error(configure, path, reason):
    configure(POLICY=path)
    found = run()
    assert found.keys() == {"E007"}
    assert (path in found["E007"].msg, reason in found["E007"].msg) == (True, True)


# Cache


def test_cache_alias_that_does_not_exist_is_named(configure):
    configure(CACHE="tasks")
    found = run()
    assert found.keys() == {"E005"}
    assert ("'tasks'" in found["E005"].msg, "['default']" in found["E005"].hint) == (True, True)


def test_dummy_cache_is_an_error(settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert run().keys() == {"E006"}


@pytest.mark.parametrize(("backend", "location"), [(LOCMEM, ""), (FILE, "/nonexistent/tasks"), (DATABASE, "tasks")])
@pytest.mark.parametrize("options", [{}, {"MAX_ENTRIES": 9_999}])
def test_cache_that_culls_is_warned_of(settings, backend, location, options):
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": location, "OPTIONS": options}}
    found = run()
    assert found.keys() == {"W001"}
    assert (str(options.get("MAX_ENTRIES", 300)) in found["W001"].msg, "MAX_ENTRIES" in found["W001"].hint) == (
        True,
        True,
    )


def test_memory_of_one_process_is_warned_of_where_tasks_run_in_others(settings):
    settings.TASKS = {**settings.TASKS, "far": {"BACKEND": "tests.test_checks.RemoteBackend"}}
    found = run()
    assert found.keys() == {"W006"}
    assert "TASKS ['far']" in found["W006"].msg


def test_shared_cache_is_fine_where_tasks_run_in_other_processes(settings, tmp_path):
    settings.TASKS = {**settings.TASKS, "far": {"BACKEND": "tests.test_checks.RemoteBackend"}}
    settings.CACHES = {"default": {"BACKEND": FILE, "LOCATION": str(tmp_path), "OPTIONS": {"MAX_ENTRIES": 10_000}}}
    assert run() == {}


@pytest.mark.parametrize(
    ("location", "options", "ids"),
    [
        ("redis://localhost", {}, {"W009"}),
        ("redis://localhost", {"socket_connect_timeout": 5}, {"W009"}),
        ("redis://localhost", {"socket_timeout": 5}, set()),
        ("redis://localhost?socket_timeout=5", {}, set()),
        (["redis://a?socket_timeout=5", "redis://b"], {}, {"W009"}),
    ],
)
def test_redis_without_a_time_limit_is_warned_of(settings, location, options, ids):
    settings.CACHES = {"default": {"BACKEND": REDIS, "LOCATION": location, "OPTIONS": options}}
    assert run().keys() == ids


@pytest.mark.parametrize(("function", "ids"), [("make_tenant_key", set()), ("make_hashed_key", {"W011"})])
def test_key_function_that_hides_the_key_is_warned_of(settings, function, ids):
    cache = {"BACKEND": "tests.support.backends.BareCache", "KEY_FUNCTION": f"tests.store.test_client.{function}"}
    settings.CACHES = {"default": cache}
    assert run().keys() == ids


def test_backend_made_of_ours_needs_no_shared_cache(settings):
    settings.TASKS = {"default": {"BACKEND": "tests.test_checks.OwnBackend"}}
    assert run() == {}


@pytest.mark.parametrize("options", [{"BACKEND": "no.such.Backend"}, {}])
def test_backend_that_can_not_be_imported_is_for_others_to_tell(settings, options):
    settings.TASKS = {**settings.TASKS, "broken": options}
    assert [message.id for message in check_cache(None)] == []


def test_cache_with_room_is_fine(settings):
    settings.CACHES = {"default": {"BACKEND": LOCMEM, "OPTIONS": {"MAX_ENTRIES": 10_000}}}
    assert run() == {}


def test_cache_of_other_aliases_is_not_looked_at(settings):
    settings.CACHES = {**settings.CACHES, "other": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert run() == {}


# Channel layer

PUBSUB = "channels_redis.pubsub.RedisPubSubChannelLayer"


@pytest.mark.parametrize("path", [PUBSUB, "channels.layers.InMemoryChannelLayer"])
def test_channel_layer_that_is_installed_passes(settings, path):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": path}}
    assert run() == {}


def test_channel_layer_of_a_package_that_is_missing_names_it(settings, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "channels_redis"]:
        monkeypatch.delitem(sys.modules, name)
    find = PathFinder.find_spec
    monkeypatch.setattr(
        PathFinder, "find_spec", lambda name, *rest: None if name == "channels_redis" else find(name, *rest)
    )
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": PUBSUB}}
    found = run()
    assert found.keys() == {"W021"}
    assert (PUBSUB in found["W021"].msg, "'pip install channels_redis'" in found["W021"].hint) == (True, True)


def test_channel_layer_without_channels_says_so(settings, monkeypatch):
    monkeypatch.setattr(layer_backend, "find_spec", lambda name: None)
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": f"{__name__}.OwnBackend"}}
    assert "'pip install channels'" in run()["W021"].hint


@pytest.mark.parametrize("path", ["channels_redis.pubsub.Typo", "chanels.layers.InMemoryChannelLayer", "typo", None])
def test_channel_layer_that_is_mistyped_is_shown_a_path_and_no_package(settings, path):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": path}}
    found = run()["W021"]
    assert (repr(path) in found.msg, PUBSUB in found.hint, "pip install" in found.hint) == (True, True, False)


def test_channel_layer_that_this_app_does_not_use_may_be_missing(settings, configure):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "no.such"}, "mine": {"BACKEND": PUBSUB}}
    configure(CHANNEL_LAYER="mine")
    assert run() == {}


# Server


@pytest.fixture
def no_daphne(settings) -> None:
    """A project as Django makes it."""
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "daphne"]
    settings.ASGI_APPLICATION = None


@pytest.mark.usefixtures("no_daphne")
def test_project_that_is_developed_without_an_asgi_server_is_warned_of(settings):
    settings.DEBUG = True
    found = run()
    assert found.keys() == {"W002"}
    assert "daphne" in found["W002"].hint


@pytest.mark.usefixtures("no_daphne")
def test_project_that_is_deployed_on_a_server_which_needs_no_setting_is_fine():
    assert run() == {}


@pytest.mark.usefixtures("no_daphne")
def test_project_that_is_developed_with_another_asgi_server_is_fine(settings):
    settings.DEBUG, settings.ASGI_APPLICATION = True, "tests.support.asgi.application"
    assert run() == {}


@pytest.mark.parametrize(("version", "ids"), [((5, 2, 1), {"W003"}), ((6, 0, 0), set())])
def test_gzip_middleware_is_warned_of_on_django_5(settings, monkeypatch, version, ids):
    monkeypatch.setattr(django, "VERSION", version)
    settings.MIDDLEWARE = ["django.middleware.gzip.GZipMiddleware", *settings.MIDDLEWARE]
    assert run().keys() == ids


@pytest.mark.parametrize(
    ("engines", "ids"),
    [
        ([], set()),
        ([{"BACKEND": DJANGO_TEMPLATES, "APP_DIRS": True}], set()),
        ([{"BACKEND": DJANGO_TEMPLATES}], {"W008"}),
        ([{"BACKEND": DJANGO_TEMPLATES}, {"BACKEND": DJANGO_TEMPLATES, "NAME": "b", "APP_DIRS": True}], set()),
    ],
)
def test_templates_that_no_engine_finds_are_missed(settings, engines, ids):
    settings.TEMPLATES, settings.STATIC_ROOT = engines, "/static"
    assert run().keys() == ids


@pytest.mark.parametrize(
    ("apps", "changes", "ids"),
    [
        ([], {}, {"W010"}),
        (["django.contrib.staticfiles"], {}, {"W010"}),
        (["daphne"], {}, {"W010"}),
        (["daphne", "django.contrib.staticfiles"], {"DEBUG": True}, set()),
        (["daphne", "django.contrib.staticfiles"], {}, {"W010"}),  # runserver serves none either
        ([], {"STATIC_URL": "https://static.example/"}, set()),
        ([], {"STATIC_ROOT": "/static"}, set()),
        ([], {"MIDDLEWARE": ["whitenoise.middleware.WhiteNoiseMiddleware"]}, set()),
        ([], {"MIDDLEWARE": ["servestatic.middleware.ServeStaticMiddleware"]}, set()),
        ([], {"STATIC_URL": "/served/", "ROOT_URLCONF": "tests.test_checks"}, set()),
    ],
)
def test_script_that_nothing_serves_is_warned_of(settings, apps, changes, ids):
    settings.TEMPLATES = [{"BACKEND": DJANGO_TEMPLATES, "APP_DIRS": True}]
    others = [app for app in settings.INSTALLED_APPS if app != "daphne"]
    given = {"INSTALLED_APPS": [*apps, *others], "STATIC_URL": "/static/", **changes}
    for name, value in given.items():
        setattr(settings, name, value)
    assert run().keys() == ids


# Deployment


@pytest.mark.parametrize("debug", [True, False], ids=["DEBUG", "no DEBUG"])
def test_cache_of_one_process_is_told_of_at_deployment(settings, debug: bool):
    settings.DEBUG = debug  # whoever asks for --deploy asks what deployment will bring
    (warning,) = check_web_processes(None)
    assert (warning.id, "CACHES['default'] is a LocMemCache" in warning.msg) == ("tasks_app.W012", True)


def test_cache_that_processes_share_is_fine_at_deployment(settings, tmp_path):
    settings.CACHES = {"default": {"BACKEND": FILE, "LOCATION": str(tmp_path)}}
    assert check_web_processes(None) == []


@pytest.mark.parametrize(("entries", "count"), [(99_999, 1), (100_000, 0)])
@pytest.mark.parametrize("backend", [FILE, "django.core.cache.backends.db.DatabaseCache"])
def test_cache_that_drops_tasks_that_run_is_told_of_at_deployment(settings, tmp_path, backend, entries, count):
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": str(tmp_path), "OPTIONS": {"MAX_ENTRIES": entries}}}
    found = check_eviction(None)
    assert [message.id for message in found] == ["tasks_app.W014"] * count
    assert all(str(entries) in message.msg and message.hint for message in found)


def test_cache_that_drops_what_was_not_used_for_longest_is_fine_at_deployment():
    assert check_eviction(None) == []


@pytest.mark.parametrize("check", [check_web_processes, check_lane, check_eviction])
def test_check_belongs_to_deployment(check):
    assert check in checks.registry.registry.deployment_checks


async def accept(scope: Any, receive: Any, send: Any) -> None: ...


with_lane, without_lane = wrap(accept), wrap(accept, lane=False)

TENANTS = "django_tenants.middleware.main.TenantMainMiddleware"


@pytest.fixture
def name_application(settings) -> Callable[[str], None]:
    """Name the ASGI application of a site whose middleware guards it."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, TENANTS]

    def name(path: str) -> None:
        settings.ASGI_APPLICATION = path

    return name


def test_middleware_that_the_lane_passes_by_is_told_of_at_deployment(name_application):
    name_application(f"{__name__}.with_lane")
    (warning,) = check_lane(None)
    assert (warning.id, TENANTS in warning.msg, bool(warning.hint)) == ("tasks_app.W013", True, True)
    assert "SecurityMiddleware" not in warning.msg


@pytest.mark.parametrize(
    "name", [f"{__name__}.{name}" for name in ("without_lane", "accept", "none")] + ["no.such", None]
)
def test_middleware_is_fine_where_no_lane_is_known(name_application, name):
    name_application(name)
    assert check_lane(None) == []


def test_lane_is_fine_with_middleware_that_guards_nothing(settings):
    settings.ASGI_APPLICATION = f"{__name__}.with_lane"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    assert check_lane(None) == []
