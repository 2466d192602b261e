"""The check that no page of another site makes a browser send a request with its user's rights."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from ..users import get_user_key
from ..utils.lazy import per_process
from .problems import Problem

#: Where a browser says that a request comes from, if not from another site: a page of this one, or its user.
_OWN = {"same-origin", "none"}


def check_csrf(request: HttpRequest) -> None:
    """Require a CSRF token of a request whose cookies identify the caller, or that a page of another site sends.

    A browser sends cookies even if another site has made it send the request, and so it does with passwords for Basic,
    Kerberos and client certificates, which no cookie tells of.

    Raises:
        Problem: the token is missing or wrong.
    """
    check = _get_check()
    if needs_csrf(request) or _is_foreign(request, check):
        check.process_request(request)
        if reason := check.process_view(request, lambda request: HttpResponse(), (), {}):
            raise Problem(HTTPStatus.FORBIDDEN, f"CSRF check failed: {reason}")


def needs_csrf(request: HttpRequest) -> bool:
    """Return whether a page of this site must send a CSRF token when this caller changes something."""
    is_session = settings.SESSION_COOKIE_NAME in request.COOKIES
    return is_session or (bool(request.COOKIES) and get_user_key(request) is not None)


class _CsrfCheck(CsrfViewMiddleware):
    """Django's own check, returning the reason of a refusal instead of an HTML page."""

    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason

    def is_trusted(self, request: HttpRequest) -> bool:
        """Return whether the Origin of a request is this site, or in CSRF_TRUSTED_ORIGINS."""
        is_verified: bool = self._origin_verified(request)  # type: ignore[attr-defined]
        return is_verified


@per_process("CSRF_TRUSTED_ORIGINS")
def _get_check() -> _CsrfCheck:
    """Return the check of this process, which reads the trusted origins once, as the site's middleware does."""
    return _CsrfCheck(lambda request: HttpResponse())


def _is_foreign(request: HttpRequest, check: _CsrfCheck) -> bool:
    """Return whether a browser sends a request for a page that is neither of this site nor trusted."""
    if request.META.get("HTTP_AUTHORIZATION", "").lower().startswith("bearer "):
        return False  # which no browser adds by itself, and no page of another site may without a preflight
    site, origin = request.META.get("HTTP_SEC_FETCH_SITE"), request.META.get("HTTP_ORIGIN")
    if site in _OWN or (site is None and origin is None):  # what is no browser says nothing
        return False
    return origin is None or not check.is_trusted(request)
