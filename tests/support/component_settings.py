"""The site whose pages hold components. VALKEY_URL: its tasks outlive it. WSGI: `runserver` is no ASGI server.

STATIC_ROOT: its static files are collected there and served from there, as STATIC_STORAGE names them.
"""

import os
from importlib.util import find_spec

from tests.support.wire_settings import *  # noqa: F403
from tests.support.wire_settings import INSTALLED_APPS as BASE_APPS

ROOT_URLCONF = "tests.support.component_urls"
INSTALLED_APPS = [*BASE_APPS, "django.contrib.staticfiles"]
if find_spec("django_htmx"):
    INSTALLED_APPS += ["django_htmx"]
if "WSGI" in os.environ:
    INSTALLED_APPS.remove("daphne")
    DEBUG = True  # or runserver serves no static files
STATIC_URL = "static/"
if "STATIC_ROOT" in os.environ:
    STATIC_ROOT = os.environ["STATIC_ROOT"]
    STORAGES = {"staticfiles": {"BACKEND": os.environ["STATIC_STORAGE"]}}
    WHITENOISE_KEEP_ONLY_HASHED_FILES = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
if "VALKEY_URL" in os.environ:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["VALKEY_URL"],
        }
    }
