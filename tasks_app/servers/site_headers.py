"""The headers that the middleware of the site adds to the response of a stream, where the settings say which."""

from collections.abc import Callable, Mapping

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.cache import patch_vary_headers

from ..streaming import CONTENT_TYPE, STREAM_HEADERS
from ..utils.lazy import per_process

Headers = list[tuple[bytes, bytes]]

_SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
_AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"


def get_stream_headers(*, is_secure: bool) -> Headers:
    """Return the headers of the view's response as Django's own middleware leaves them; don't change them.

    Args:
        is_secure: whether the client uses HTTPS.
    """
    return _make_all()[is_secure]


@per_process(
    "MIDDLEWARE",
    "SECURE_CONTENT_TYPE_NOSNIFF",
    "SECURE_CROSS_ORIGIN_OPENER_POLICY",
    "SECURE_HSTS_INCLUDE_SUBDOMAINS",
    "SECURE_HSTS_PRELOAD",
    "SECURE_HSTS_SECONDS",
    "SECURE_REFERRER_POLICY",
    "X_FRAME_OPTIONS",
)
def _make_all() -> Mapping[bool, Headers]:
    return {is_secure: _make(is_secure=is_secure) for is_secure in (False, True)}


def _make(*, is_secure: bool) -> Headers:
    response = HttpResponse(content_type=CONTENT_TYPE, headers=STREAM_HEADERS)
    request = _Sample(is_secure=is_secure)
    for path in reversed(settings.MIDDLEWARE):
        if (process := _PROCESSES.get(path)) is not None:
            process(request, response)
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]


class _Sample(HttpRequest):
    """A request of which only the scheme is known."""

    def __init__(self, *, is_secure: bool) -> None:
        super().__init__()
        self._is_secure = is_secure

    def is_secure(self) -> bool:
        return self._is_secure


def _add_security(request: HttpRequest, response: HttpResponse) -> None:
    SecurityMiddleware(lambda request: response).process_response(request, response)


def _add_frame_options(request: HttpRequest, response: HttpResponse) -> None:
    XFrameOptionsMiddleware(lambda request: response).process_response(request, response)


def _add_cookie(request: HttpRequest, response: HttpResponse) -> None:
    """Say that the answer depends on the session, where the view finds the user in it."""
    if _AUTHENTICATION in settings.MIDDLEWARE:
        patch_vary_headers(response, ["Cookie"])


#: What each middleware does with the response, by its path in MIDDLEWARE.
_PROCESSES: Mapping[str, Callable[[HttpRequest, HttpResponse], None]] = {
    "django.middleware.security.SecurityMiddleware": _add_security,
    "django.middleware.clickjacking.XFrameOptionsMiddleware": _add_frame_options,
    _SESSION: _add_cookie,
}
