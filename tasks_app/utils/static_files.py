"""The servers of static files, as far as they can be seen."""

import sys
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import Resolver404, get_script_prefix, resolve

#: What to do where nothing serves them.
CURE = (
    "In development, run 'manage.py runserver', with 'daphne' first in INSTALLED_APPS. Elsewhere, add WhiteNoise's "
    "middleware, or set STATIC_ROOT, run 'manage.py collectstatic', and let the proxy serve that folder."
)


def is_serving_configured() -> bool:
    """Whether the settings name what may serve static files: another host, a proxy, a middleware or a URL pattern."""
    url = urlsplit(settings.STATIC_URL or "")
    has_middleware = any("whitenoise" in name or "static" in name for name in settings.MIDDLEWARE)
    return bool(url.netloc or settings.STATIC_ROOT or has_middleware or (url.path and _is_routed(url.path)))


def has_handler() -> bool:
    """Whether this process serves static files around Django, as `runserver` does."""
    return "django.contrib.staticfiles.handlers" in sys.modules


def _is_routed(path: str) -> bool:
    try:
        resolve(f"/{path.removeprefix(get_script_prefix())}name.js")
    except Resolver404:
        return False
    return True
