"""The endpoints of this app, found by Django's own resolver wherever a site includes them."""

from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.urls import Resolver404, URLResolver, get_resolver
from django.utils import translation

from ..http import is_endpoint, views
from ..utils.lazy import per_process
from .lifespan import Scope

_LOCALE_MIDDLEWARE = "django.middleware.locale.LocaleMiddleware"


#: What the paths of all endpoints have, so that those of the rest of the site need not be resolved here.
WORD = "task"

#: The characters of a path that is looked at, since what was found is kept; an id has at most 128.
MAX_PATH = 1000


class Endpoint(NamedTuple):
    """An endpoint; one of streams is that of one task, or of those that the query names if `task_id` is None."""

    is_stream: bool
    task_id: str | None = None


class _Site(NamedTuple):
    """The settings about paths."""

    script_name: str | None
    has_languages: bool


def find_endpoint(scope: Scope) -> Endpoint | None:
    """Return the endpoint of this app at the path of a request, or None."""
    site = _get_site()
    # As Django finds the path below that under which a server or the settings mount it.
    path = scope["path"].removeprefix(site.script_name or scope.get("root_path") or "")
    if WORD not in path or len(path) > MAX_PATH:
        return None
    return _find_in_language(path) if site.has_languages else _find(get_resolver(), path)


@per_process("FORCE_SCRIPT_NAME", "MIDDLEWARE")
def _get_site() -> _Site:
    return _Site(settings.FORCE_SCRIPT_NAME, _LOCALE_MIDDLEWARE in settings.MIDDLEWARE)


def _find_in_language(path: str) -> Endpoint | None:
    """Resolve a path of `i18n_patterns` in the language that it names, in which LocaleMiddleware serves it."""
    with translation.override(translation.get_language_from_path(path) or settings.LANGUAGE_CODE):
        return _find(get_resolver(), path)


@lru_cache(maxsize=1024)  # a URLconf may have thousands of patterns, and viewers come back
def _find(resolver: URLResolver, path: str) -> Endpoint | None:
    try:
        match = resolver.resolve(path)
    except Resolver404:
        return None
    if match.func is views.stream_task and match.kwargs.keys() == {"task_id"}:
        return Endpoint(is_stream=True, task_id=match.kwargs["task_id"])
    if match.func is views.stream_tasks and not match.kwargs:
        return Endpoint(is_stream=True)
    return Endpoint(is_stream=False) if is_endpoint(match.func) else None
