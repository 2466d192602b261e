"""The system checks, which find at `manage.py check` what would otherwise fail in production."""

from collections.abc import Iterator, Mapping
from typing import Any

import django
from django.conf import settings as django_settings
from django.core import checks
from django.core.cache import caches
from django.core.cache.backends.base import default_key_func
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.utils.module_loading import import_string

from .conf import Settings, find_mistakes, get_settings
from .lifecycle import compat, get_framework, resolve
from .store import CULLING_CACHES, keeps_key
from .utils import static_files
from .wakeups import find_layer_flaw

Messages = Iterator[checks.CheckMessage]

#: The least MAX_ENTRIES that gives no warning.
ENOUGH_ENTRIES = 10_000

#: Backends whose tasks run in the process that enqueues them, or never.
LOCAL_BACKENDS = {"InProcessBackend", "ImmediateBackend", "DummyBackend"}

#: The methods that a policy must have.
POLICY_METHODS = ("can_start", "can_view", "can_cancel", "can_list")


def register() -> None:
    """Register the checks with Django."""
    for check in (
        check_settings,
        check_tasks,
        check_policy,
        check_cache,
        check_channel_layer,
        check_server,
        check_templates,
        check_static_files,
    ):
        checks.register(check)


def check_settings(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check the keys and values of TASKS_APP."""
    return [
        checks.Error(item.message, hint=item.hint, id="tasks_app.E001" if item.is_unknown_key else "tasks_app.E002")
        for item in find_mistakes(getattr(django_settings, "TASKS_APP", {}))
    ]


def check_tasks(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that a task framework is installed, and that the tasks in STARTABLE start without blocking the request."""
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
    """Check that the policy can be imported and has every method."""
    settings = get_valid_settings()
    return [] if settings is None else list(_check_policy(settings.POLICY))


def check_cache(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that the cache exists, keeps its entries, is shared as needed and has a time limit."""
    settings = get_valid_settings()
    return [] if settings is None else list(_check_cache(settings.CACHE))


def check_channel_layer(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that the channel layer exists and can be imported; a missing "default" is allowed: sweeps replace it."""
    settings = get_valid_settings()
    layers = getattr(django_settings, "CHANNEL_LAYERS", {})
    if settings is None:
        return []
    if settings.CHANNEL_LAYER in ("default", *layers):
        return list(_check_layer_backend())
    return [
        checks.Error(
            f"TASKS_APP['CHANNEL_LAYER'] is {settings.CHANNEL_LAYER!r}, which CHANNEL_LAYERS does not have.",
            hint=f"CHANNEL_LAYERS has {sorted(layers)!r}.",
            id="tasks_app.E009",
        )
    ]


def check_server(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that the server and the middleware let streams through."""
    return [*_check_asgi(), *_check_gzip()]


def check_templates(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that the templates of the monitor are found; a site without template engines needs none."""
    if not django_settings.TEMPLATES:
        return []
    try:
        get_template("tasks_app/monitor.html")
    except TemplateDoesNotExist:
        return [
            checks.Warning(
                "No engine in TEMPLATES finds the templates of tasks_app: the monitor can't be shown.",
                hint="Add a DjangoTemplates engine with 'APP_DIRS': True, or with the app_directories loader.",
                id="tasks_app.W008",
            )
        ]
    return []


def check_static_files(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that something serves the scripts; a site without template engines needs none."""
    # runserver serves them, but only with DEBUG; an app that it needs says nothing of where the site is deployed.
    has_runserver = {"daphne", "django.contrib.staticfiles"} <= set(django_settings.INSTALLED_APPS)
    is_served = (has_runserver and django_settings.DEBUG) or static_files.is_serving_configured()
    if not django_settings.TEMPLATES or is_served:
        return []
    return [
        checks.Warning(
            "The settings do not say what serves static files: no component and no monitor would come to life.",
            hint=f"{static_files.CURE} If your asgi.py uses ASGIStaticFilesHandler, silence this warning.",
            id="tasks_app.W010",
        )
    ]


def get_valid_settings() -> Settings | None:
    """Return the settings, or None if `check_settings` finds mistakes in them."""
    if any(find_mistakes(getattr(django_settings, "TASKS_APP", {}))):
        return None
    return get_settings()


def _check_startable(name: str) -> Messages:
    path = get_settings().STARTABLE[name]
    try:
        task = resolve(name)
    except Exception as error:
        # Importing a module runs its code, which may raise anything.
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
        missing = [name for name in POLICY_METHODS if not callable(getattr(policy, name, None))]
        problem = f"which lacks {missing!r}" if missing else None
    except Exception as error:
        # Importing a module runs its code, which may raise anything.
        problem = f"which can't be created: {type(error).__name__}: {error}"
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
            f"CACHES[{alias!r}] is a DummyCache, which stores nothing: no task can be shown.",
            hint="Use LocMemCache for one process, Redis or Valkey for several.",
            id="tasks_app.E006",
        )
    if isinstance(cache, CULLING_CACHES) and (entries := cache._max_entries) < ENOUGH_ENTRIES:
        yield checks.Warning(
            f"CACHES[{alias!r}] holds at most {entries!r} entries and then drops some: tasks would disappear.",
            hint=f"Give it OPTIONS {{'MAX_ENTRIES': {ENOUGH_ENTRIES!r}}} or more, or set TASKS_APP['CACHE'] to the "
            "alias of a separate cache.",
            id="tasks_app.W001",
        )
    if isinstance(cache, LocMemCache) and (remote := _find_remote_backends()):
        yield checks.Warning(
            f"CACHES[{alias!r}] is a LocMemCache, which other processes do not see, but the tasks of TASKS {remote!r} "
            "run in other processes: their progress would not be shown.",
            hint="Use Redis or Valkey, or the database cache.",
            id="tasks_app.W006",
        )
    yield from _check_key_function(alias)
    if isinstance(cache, RedisCache) and not _has_time_limit(caches.settings[alias]):
        yield checks.Warning(
            f"CACHES[{alias!r}] has no 'socket_timeout': while its server hangs, calls wait for ever, and running "
            "tasks are declared lost.",
            hint="Give it OPTIONS {'socket_timeout': 5, 'socket_connect_timeout': 5}.",
            id="tasks_app.W009",
        )


def _check_layer_backend() -> Messages:
    if (flaw := find_layer_flaw()) is not None:
        late = "What changes in one process is seen late in others."
        yield checks.Warning(f"{flaw.what}. {late}", hint=flaw.cure, id="tasks_app.W021")


def _check_key_function(alias: str) -> Messages:
    cache = caches[alias]
    if cache.key_func is not default_key_func and not keeps_key(cache):
        yield checks.Warning(
            f"The KEY_FUNCTION of CACHES[{alias!r}] hides the key in what it makes of it, so it is called in each "
            "thread that reads or writes a task.",
            hint="It must not depend on the thread or the request, such as on the tenant; then silence this warning.",
            id="tasks_app.W011",
        )


def _has_time_limit(config: Mapping[str, Any]) -> bool:
    """Return whether calls to a Redis cache time out; redis-py also reads options from the URL."""
    locations = config.get("LOCATION", "")
    locations = [locations] if isinstance(locations, str) else locations
    return "socket_timeout" in config.get("OPTIONS", {}) or all("socket_timeout=" in item for item in locations)


def _find_remote_backends() -> list[str]:
    """Return the aliases in TASKS whose tasks run in another process than the one that enqueues them."""
    remote = []
    for alias, options in getattr(django_settings, "TASKS", {}).items():
        try:
            backend = import_string(options["BACKEND"])
        except (ImportError, KeyError):  # the framework reports this itself
            continue
        if LOCAL_BACKENDS.isdisjoint(base.__name__ for base in backend.__mro__):
            remote.append(alias)
    return remote


def _check_asgi() -> Messages:
    # Without DEBUG, runserver serves no site, and other ASGI servers need none of these settings.
    has_server = "daphne" in django_settings.INSTALLED_APPS or getattr(django_settings, "ASGI_APPLICATION", None)
    if django_settings.DEBUG and not has_server:
        yield checks.Warning(
            "With these settings, 'manage.py runserver' is a WSGI server, which answers streams with 501.",
            hint="Put 'daphne' first in INSTALLED_APPS and set ASGI_APPLICATION, so that runserver is an ASGI server. "
            "If you develop with another one, such as uvicorn, silence this warning.",
            id="tasks_app.W002",
        )


def _check_gzip() -> Messages:
    if django.VERSION < (6,) and "django.middleware.gzip.GZipMiddleware" in django_settings.MIDDLEWARE:
        yield checks.Warning(
            "On Django 5.2, GZipMiddleware compresses each chunk of a stream separately: clients see only the first.",
            hint="The streams of tasks_app opt out with 'Content-Encoding: identity'; add it to your own streams. "
            "Let the proxy in front compress, or upgrade to Django 6.",
            id="tasks_app.W003",
        )
