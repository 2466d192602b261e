"""The checks of `manage.py check --deploy` for what strangers could make of a site."""

import inspect
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from inspect import iscoroutinefunction
from typing import Any, NoReturn

from django.conf import settings as django_settings
from django.core import checks
from django.db import connections
from django.http import HttpRequest
from django.utils.module_loading import import_string

from .checks import get_valid_settings
from .conf import Settings
from .lifecycle import get_framework, resolve
from .permissions import Policy
from .snapshot import Snapshot
from .users import find_user_model

try:
    import resource
except ImportError:  # on Windows
    resource = None  # type: ignore[assignment]

#: The last word of a parameter that asks for what a stranger should not choose; an id or a number of it is fine.
HOSTILE_WORDS = {
    *("path", "paths", "file", "files", "filename", "filenames", "filepath", "filepaths", "dir", "folder"),
    *("url", "urls", "uri", "uris", "href", "host", "sql", "query", "command", "cmd", "shell", "script", "code"),
    *("directory", "eval", "expression", "template", "module", "class", "klass", "callable", "function"),
}

#: Open files of a process besides its streams: sockets of the cache and the database, logs, the program itself.
OTHER_FILES = 100


def register() -> None:
    """Register these checks with Django."""
    for check in (
        check_parameters,
        check_open_files,
        check_anonymous_start,
        check_exposed_errors,
        check_slow_readers,
        check_staff_policy,
    ):
        checks.register(check, deploy=True)


def check_parameters(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that no task which requests start by name takes a path, a URL or code."""
    settings = get_valid_settings()
    found = {} if settings is None else {name: _find_hostile_parameters(name) for name in settings.STARTABLE}
    return [
        checks.Warning(
            f"Task {name!r} in TASKS_APP['STARTABLE'] takes {parameters!r}: all who may start it choose the value, "
            "such as '/etc/passwd' for a path or an address inside of your network for a URL.",
            hint="Take the id of something that you have stored, such as an upload, and look up whose it is. If the "
            "task checks the value itself, silence this warning.",
            id="tasks_app.W015",
        )
        for name, parameters in found.items()
        if parameters
    ]


def check_open_files(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that a process may have as many open files as it may have streams."""
    settings, limit = get_valid_settings(), _find_file_limit()
    if settings is None or limit is None or limit >= settings.MAX_STREAMS + OTHER_FILES:
        return []
    return [
        checks.Warning(
            f"TASKS_APP['MAX_STREAMS'] is {settings.MAX_STREAMS!r}, a process may have {limit!r} open files here, of "
            "which each stream is one: before streams are refused, nothing else can be opened.",
            hint="Start the server with a higher limit ('ulimit -n', or LimitNOFILE of systemd), or set MAX_STREAMS "
            f"to {max(limit - OTHER_FILES, 1)!r}. If only the server has the higher limit, silence this warning.",
            id="tasks_app.W016",
        )
    ]


def check_anonymous_start(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that visitors start tasks only where that is meant."""
    settings = get_valid_settings()
    if settings is None or not (settings.ALLOW_ANONYMOUS_START and settings.STARTABLE):
        return []
    return [
        checks.Warning(
            f"TASKS_APP['ALLOW_ANONYMOUS_START'] lets every visitor start {sorted(settings.STARTABLE)!r}.",
            hint="Turn it off, or, if these tasks are for everybody and cheap, silence this warning.",
            id="tasks_app.W017",
        )
    ]


def check_exposed_errors(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that viewers are not shown what exceptions say."""
    settings = get_valid_settings()
    if settings is None or not settings.exposes_errors:
        return []
    return [
        checks.Warning(
            f"Viewers see the messages of exceptions: TASKS_APP['EXPOSE_ERRORS'] is {settings.EXPOSE_ERRORS!r}, and "
            f"DEBUG is {django_settings.DEBUG!r}. They may tell of files, addresses and rows of others.",
            hint="Set EXPOSE_ERRORS to False, and tell people what went wrong by progress.update(status=…).",
            id="tasks_app.W018",
        )
    ]


def check_slow_readers(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that something keeps streams that nobody reads from filling the memory of Daphne."""
    if "daphne" not in django_settings.INSTALLED_APPS or _is_guarded():
        return []
    return [
        checks.Warning(
            f"ASGI_APPLICATION, {django_settings.ASGI_APPLICATION!r}, is not wrapped: Daphne keeps what it sends in "
            "memory until it is read, which is then looked at every SWEEP_INTERVAL alone, so that more may wait.",
            hint="Make it wrap(get_asgi_application()), with 'from tasks_app.asgi import wrap', as the outermost "
            "wrapper. If another server serves the site, silence this warning.",
            id="tasks_app.W019",
        )
    ]


def check_staff_policy(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that a policy of the site does not open the tasks of everybody to all staff."""
    settings = get_valid_settings()
    if settings is None or (opened := _find_opened_rules(settings)) == []:
        return []
    return [
        checks.Warning(
            f"TASKS_APP['POLICY'], {settings.POLICY!r}, says yes by {opened!r} to staff without any permission, for "
            "tasks of others.",
            hint="Ask for request.user.has_perm('tasks_app.view_task') or 'tasks_app.cancel_task', as the default "
            "rules do by super(). If all of your staff may, silence this warning.",
            id="tasks_app.W020",
        )
    ]


def _find_hostile_parameters(name: str) -> list[str]:
    try:
        task = resolve(name)
        function, _ = get_framework(task).unwrap(task)
        parameters = list(inspect.signature(function).parameters)
    except Exception:  # whatever importing a module raises; another check says so
        return []
    return [parameter for parameter in parameters if _is_hostile(parameter)]


def _is_hostile(parameter: str) -> bool:
    words = parameter.lower().strip("_").split("_")
    if words[-1] in ("name", "names"):  # template_name
        words.pop()
    return bool(words) and words[-1] in HOSTILE_WORDS


def _find_file_limit() -> int | None:
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def _is_guarded() -> bool:
    """Return whether `tasks_app.asgi.wrap` made the site's ASGI application, or nothing is known of it."""
    path = getattr(django_settings, "ASGI_APPLICATION", None)
    try:
        application = import_string(path) if path else None
    except Exception:  # whatever its module raises, the server says when it starts
        return True
    return application is None or hasattr(application, "has_tasks_app_lane")


def _find_opened_rules(settings: Settings) -> list[str]:
    """Return the rules of a site's own that say yes to made-up staff; of one that must know more, nothing is known."""
    model = find_user_model()
    try:
        policy = import_string(settings.POLICY)()
        user = None if model is None else model(is_staff=True, is_active=True)
    except Exception:  # a model without these fields; of the policy another check says so
        return []
    rules = [name for name in ("can_view", "can_cancel") if not _is_default(policy, name)]
    asked = {name: rule for name in rules if not iscoroutinefunction(rule := getattr(policy, name, None))}
    return [name for name, rule in asked.items() if user is not None and _says_yes(rule, user)]


def _is_default(policy: Any, rule: str) -> bool:
    return getattr(type(policy), rule, None) is getattr(Policy, rule)


def _says_yes(rule: Any, user: Any) -> bool:
    """Return whether a rule says yes to a user, asked without the database."""
    now = datetime.now(UTC)
    request = HttpRequest()
    request.method, request.path, request.user = "GET", "/", user
    snapshot = Snapshot.queued("check", "check", now=now, owner="(somebody else)").begun(now=now)
    try:
        with ExitStack() as stack:
            for connection in connections.all():
                stack.enter_context(connection.execute_wrapper(_refuse))
            return rule(request, snapshot) is True
    except Exception:  # the code of the site may count on anything that this request has not
        return False


def _refuse(execute: Callable[..., Any], *args: Any) -> NoReturn:
    raise RuntimeError("a check does not ask the database")
