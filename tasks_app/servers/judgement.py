"""Requests that Django, or a middleware, may answer in another way than the view; they are not for the lane."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest

from ..utils.lazy import per_process
from .lifespan import Scope

#: The characters of a host that is looked at; a name has at most 253.
MAX_HOST = 300

_COMMON_MIDDLEWARE = "django.middleware.common.CommonMiddleware"


class _Site(NamedTuple):
    """The settings about requests."""

    #: Whether CommonMiddleware may refuse or redirect a request.
    is_picky: bool
    redirects_to_https: bool
    is_behind_host: bool
    #: The header by which a proxy tells the scheme, and its value for HTTPS.
    scheme_header: tuple[str, str] | None
    is_allowed: Callable[[str], bool]


def is_plain(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Return whether a request may be answered at this host, over this scheme, and without a say about its origin."""
    site = _get_site()
    if site.is_picky or (site.redirects_to_https and not is_secure(scope, headers)):
        return False
    host = headers.get("host", "")
    if site.is_behind_host:
        host = headers.get("x-forwarded-host", host)
    # The length first: what was judged is kept.
    return len(host) <= MAX_HOST and site.is_allowed(host) and _is_of_this_site(scope, headers, host)


def is_secure(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Return whether the client uses HTTPS, as Django finds out."""
    if (known := _get_site().scheme_header) is not None and (told := headers.get(known[0])) is not None:
        return told.split(",", 1)[0].strip() == known[1]
    return bool(scope.get("scheme") == "https")


def _is_of_this_site(scope: Scope, headers: Mapping[str, str], host: str) -> bool:
    """Return whether no page of another site makes the request; middleware decides about CORS."""
    if (origin := headers.get("origin")) is None:
        return True
    return origin == f"{'https' if is_secure(scope, headers) else 'http'}://{host}"


@per_process(
    "ALLOWED_HOSTS",
    "DEBUG",
    "DISALLOWED_USER_AGENTS",
    "MIDDLEWARE",
    "PREPEND_WWW",
    "SECURE_PROXY_SSL_HEADER",
    "SECURE_SSL_REDIRECT",
    "USE_X_FORWARDED_HOST",
)
def _get_site() -> _Site:
    header = settings.SECURE_PROXY_SSL_HEADER
    may_refuse = settings.PREPEND_WWW or bool(settings.DISALLOWED_USER_AGENTS)
    return _Site(
        is_picky=may_refuse and _COMMON_MIDDLEWARE in settings.MIDDLEWARE,
        redirects_to_https=settings.SECURE_SSL_REDIRECT,
        is_behind_host=settings.USE_X_FORWARDED_HOST,
        scheme_header=(header[0].removeprefix("HTTP_").replace("_", "-").lower(), header[1]) if header else None,
        is_allowed=lru_cache(maxsize=256)(_is_allowed),  # clients name few hosts, again and again
    )


def _is_allowed(host: str) -> bool:
    if not host:  # an old client, and Django goes by the address of the server
        return False
    request = HttpRequest()
    request.META = {"HTTP_HOST": host, "HTTP_X_FORWARDED_HOST": host}
    try:
        request.get_host()
    except DisallowedHost:
        return False
    return True
