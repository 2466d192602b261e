"""Settings of the demo site. Everything a deployment must change is read from the environment."""

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent


def read_flag(name: str, default: bool) -> bool:
    """Return whether an environment variable says yes ("1", "true", "yes", "on")."""
    return os.environ.get(name, str(default)).strip().lower() in ("1", "true", "yes", "on")


def read_list(name: str) -> list[str]:
    """Return the items of an environment variable that holds a comma-separated list."""
    return [item.strip() for item in os.environ.get(name, "").split(",") if item.strip()]


DEBUG = read_flag("DJANGO_DEBUG", True)
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or get_random_secret_key()
ALLOWED_HOSTS = read_list("DJANGO_ALLOWED_HOSTS")

INSTALLED_APPS = [
    "daphne",  # first: it gives runserver its ASGI server
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "tasks_app",
    "progress_site",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "progress_site.urls"
ASGI_APPLICATION = "progress_site.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DJANGO_DATABASE", BASE_DIR / "db.sqlite3"),
        # Imports write while pages read: wait for the lock, and take it at the start of a transaction.
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Sessions in signed cookies, so that the demo answers before any migration whatever cookies a browser has.
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"

# The state of tasks has a cache of its own: nothing else of the site can push it out, or clear it.
if cache_url := os.environ.get("DJANGO_CACHE_URL"):
    TASKS_CACHE = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": cache_url}
else:
    TASKS_CACHE = {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "LOCATION": "tasks",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "tasks": TASKS_CACHE,
}

TASKS = {
    "default": {
        "BACKEND": "tasks_app.backends.InProcessBackend",
        "OPTIONS": {"max_workers": 64},  # the demo's tasks mostly sleep
    }
}
TASKS_APP = {
    "CACHE": "tasks",
    "STARTABLE": {"simulate": "progress_site.tasks.simulate"},
    "DEFAULT_TASK": "simulate",
    "ALLOW_ANONYMOUS_START": True,
}

CORS_ALLOW_ALL_ORIGINS = DEBUG
CORS_ALLOWED_ORIGINS = read_list("DJANGO_CORS_ALLOWED_ORIGINS")

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
