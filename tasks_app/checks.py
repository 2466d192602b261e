"""System checks: what would only show at night, in production, is said by `manage.py check`."""

from collections.abc import Iterator, Mapping
from typing import Any

import django
from django.conf import settings as django_settings
from django.core import checks
from django.core.cache import caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.utils.module_loading import import_string

from .conf import Settings, find_mistakes, get_settings
from .lifecycle import compat, get_framework, resolve

Messages = Iterator[checks.CheckMessage]

#: Caches that throw entries away when they hold more than MAX_ENTRIES, and how many a site with some tasks needs.
CULLING_CACHES = (LocMemCache, FileBasedCache, DatabaseCache)
ENOUGH_ENTRIES = 10_000

#: Backends whose tasks run in the process that enqueues them, or never.
LOCAL_BACKENDS = {"InProcessBackend", "ImmediateBackend", "DummyBackend"}

#: What a policy is asked.
QUESTIONS = ("can_start", "can_view", "can_cancel", "can_list")


def register() -> None:
    """Have Django run these checks."""
    for check in (
        check_settings,
        check_tasks,
        check_policy,
        check_cache,
        check_channel_layer,
        check_server,
        check_templates,
    ):
        checks.register(check)


def check_settings(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Is TASKS_APP as it may be?"""
    return [
        checks.Error(item.message, hint=item.hint, id="tasks_app.E001" if item.is_unknown_key else "tasks_app.E002")
        for item in find_mistakes(getattr(django_settings, "TASKS_APP", {}))
    ]


def check_tasks(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Can the tasks of STARTABLE be started, and without blocking the request?"""
    if not compat.has_tasks:
        return [
            checks.Error(
                f"Django {django.get_version()} has no django.tasks, and its backport is not installed.",
                hint="Run 'pip install django-tasks', or upgrade to Django 6.",
                id="tasks_app.E004",
            )
        ]
    settings = get_valid_settings()
    startable = [] if settings is None else [item for name in settings.STARTABLE for item in _check_startable(name)]
    return [*startable, *compat.check_backends()]


def check_policy(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Can the policy be asked?"""
    settings = get_valid_settings()
    return [] if settings is None else list(_check_policy(settings.POLICY))


def check_cache(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Does the cache keep what it is given?"""
    settings = get_valid_settings()
    return [] if settings is None else list(_check_cache(settings.CACHE))


def check_channel_layer(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Is there the channel layer that was asked for? Without one named "default", sweeps do."""
    settings = get_valid_settings()
    layers = getattr(django_settings, "CHANNEL_LAYERS", {})
    if settings is None or settings.CHANNEL_LAYER in ("default", *layers):
        return []
    return [
        checks.Error(
            f"TASKS_APP['CHANNEL_LAYER'] is {settings.CHANNEL_LAYER!r}, which CHANNEL_LAYERS does not have.",
            hint=f"CHANNEL_LAYERS has {sorted(layers)!r}.",
            id="tasks_app.E009",
        )
    ]


def check_server(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Can streams get through?"""
    return [*_check_asgi(), *_check_gzip()]


def check_templates(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Are the pages of the monitor found? A site without any templates does not miss them."""
    if not django_settings.TEMPLATES:
        return []
    try:
        get_template("tasks_app/monitor.html")
    except TemplateDoesNotExist:
        return [
            checks.Warning(
                "No engine in TEMPLATES finds the templates of tasks_app: its monitor can't be shown.",
                hint="Add a DjangoTemplates engine with 'APP_DIRS': True, or with the app_directories loader.",
                id="tasks_app.W008",
            )
        ]
    return []


def get_valid_settings() -> Settings | None:
    """Return the settings, or None where `check_settings` has reported why there are none."""
    if any(find_mistakes(getattr(django_settings, "TASKS_APP", {}))):
        return None
    return get_settings()


def _check_startable(name: str) -> Messages:
    path = get_settings().STARTABLE[name]
    try:
        task = resolve(name)
    except Exception as error:
        # Importing a module runs it: anything may come out.
        yield checks.Error(
            f"TASKS_APP['STARTABLE'][{name!r}] is {path!r}, which is not a task: {type(error).__name__}: {error}.",
            hint="Give the dotted path of a function decorated with @task, or, if 'tasks_app.contrib.celery' is in "
            "INSTALLED_APPS, of a Celery task.",
            id="tasks_app.E003",
        )
        return
    if (flaw := get_framework(task).find_flaw(task)) is not None:
        yield checks.Warning(f"Task {name!r} {flaw.what}.", hint=flaw.cure, id=f"tasks_app.{flaw.id}")


def _check_policy(path: str) -> Messages:
    try:
        policy = import_string(path)()
        missing = [question for question in QUESTIONS if not callable(getattr(policy, question, None))]
        problem = f"which lacks {missing!r}" if missing else None
    except Exception as error:
        # Importing a module runs it: anything may come out.
        problem = f"which can't be made: {type(error).__name__}: {error}"
    if problem is not None:
        yield checks.Error(
            f"TASKS_APP['POLICY'] is {path!r}, {problem}.",
            hint="Give the dotted path of a subclass of tasks_app.permissions.Policy.",
            id="tasks_app.E007",
        )


def _check_cache(alias: str) -> Messages:
    if alias not in caches.settings:
        yield checks.Error(
            f"TASKS_APP['CACHE'] is {alias!r}, which CACHES does not have.",
            hint=f"CACHES has {sorted(caches.settings)!r}.",
            id="tasks_app.E005",
        )
        return
    cache = caches[alias]
    if isinstance(cache, DummyCache):
        yield checks.Error(
            f"CACHES[{alias!r}] is a DummyCache, which forgets everything: no task can be followed.",
            hint="Use LocMemCache in one process, Redis or Valkey in many.",
            id="tasks_app.E006",
        )
    if isinstance(cache, CULLING_CACHES) and (entries := cache._max_entries) < ENOUGH_ENTRIES:
        yield checks.Warning(
            f"CACHES[{alias!r}] holds at most {entries!r} entries and then drops some: tasks would vanish.",
            hint=f"Give it OPTIONS {{'MAX_ENTRIES': {ENOUGH_ENTRIES!r}}} or more, or give the tasks a cache alone.",
            id="tasks_app.W001",
        )
    if isinstance(cache, LocMemCache) and (remote := _find_remote_backends()):
        yield checks.Warning(
            f"CACHES[{alias!r}] is a LocMemCache, which other processes do not see, and the tasks of TASKS {remote!r} "
            "run in other processes: nobody could follow them.",
            hint="Use Redis or Valkey, or the database cache.",
            id="tasks_app.W006",
        )
    if isinstance(cache, RedisCache) and not _has_time_limit(caches.settings[alias]):
        yield checks.Warning(
            f"CACHES[{alias!r}] has no 'socket_timeout': while its server hangs, whoever asks it waits for ever, and "
            "running tasks are taken for lost.",
            hint="Give it OPTIONS {'socket_timeout': 5, 'socket_connect_timeout': 5}.",
            id="tasks_app.W009",
        )


def _has_time_limit(config: Mapping[str, Any]) -> bool:
    """Redis' own client takes options from the address, too."""
    locations = config.get("LOCATION", "")
    locations = [locations] if isinstance(locations, str) else locations
    return "socket_timeout" in config.get("OPTIONS", {}) or all("socket_timeout=" in item for item in locations)


def _find_remote_backends() -> list[str]:
    """Return the aliases of TASKS whose tasks do not run in the process that enqueues them."""
    remote = []
    for alias, options in getattr(django_settings, "TASKS", {}).items():
        try:
            backend = import_string(options["BACKEND"])
        except (ImportError, KeyError):  # the framework tells of that
            continue
        if LOCAL_BACKENDS.isdisjoint(base.__name__ for base in backend.__mro__):
            remote.append(alias)
    return remote


def _check_asgi() -> Messages:
    if "daphne" not in django_settings.INSTALLED_APPS and not getattr(django_settings, "ASGI_APPLICATION", None):
        yield checks.Warning(
            "Nothing here says that the site runs under ASGI; under WSGI, streams are answered with 501.",
            hint="Put 'daphne' first in INSTALLED_APPS and set ASGI_APPLICATION, so that runserver is an ASGI server. "
            "If you use another one, set ASGI_APPLICATION all the same, or silence this.",
            id="tasks_app.W002",
        )


def _check_gzip() -> Messages:
    if django.VERSION < (6,) and "django.middleware.gzip.GZipMiddleware" in django_settings.MIDDLEWARE:
        yield checks.Warning(
            "On Django 5.2, GZipMiddleware compresses each chunk of a stream by itself: clients see only the first.",
            hint="The streams of tasks_app opt out by 'Content-Encoding: identity'; your own must do so too. "
            "Let the proxy in front compress, or upgrade to Django 6.",
            id="tasks_app.W003",
        )
