"""The endpoint of the description."""

from functools import lru_cache

from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponseBase

from ..http import conditional_response, endpoint, find_base
from ..utils.json import encode_json
from .document import make_document


@endpoint("GET", "HEAD", needs_user=False)
async def show_openapi(request: HttpRequest) -> HttpResponseBase:
    """Answer the description of all endpoints, which says nothing of the site but where they stand."""
    prefix = find_base(request).removesuffix("/")
    csrf_header = django_settings.CSRF_HEADER_NAME.removeprefix("HTTP_").replace("_", "-").title()
    return conditional_response(request, _encode(prefix, django_settings.SESSION_COOKIE_NAME, csrf_header))


@lru_cache(maxsize=8)  # a site has one, or one for each language
def _encode(prefix: str, session_cookie: str, csrf_header: str) -> str:
    return encode_json(make_document(prefix, session_cookie, csrf_header))
