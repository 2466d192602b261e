"""The settings of the demo site; everything that a deployment must change is read from the environment."""

import os
from pathlib import Path

from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from .profiles import REDIS_TIMEOUTS, make_profile

BASE_DIR = Path(__file__).resolve().parent.parent


def read_flag(name: str, default: bool) -> bool:
    """Return the boolean in an environment variable, or `default` if it is empty or missing."""
    text = os.environ.get(name, "").strip().lower()
    if not text:
        return default
    if text not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        raise ImproperlyConfigured(f"{name} is {text!r}; allowed: 1, true, yes, on, 0, false, no, off.")
    return text in ("1", "true", "yes", "on")


def read_list(name: str) -> list[str]:
    """Return the items of the comma-separated list in an environment variable."""
    return [item.strip() for item in os.environ.get(name, "").split(",") if item.strip()]


def read_size(name: str, default: int) -> int:
    """Return the whole number above 0 in an environment variable, or `default` if it is empty or missing."""
    text = os.environ.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ImproperlyConfigured(f"{name} is {text!r}; it must be a whole number above 0.")
    return int(text)


def read_secret_key(name: str, *, may_be_random: bool) -> str:
    """Return the secret key in an environment variable, or a random one if it is missing and that is allowed."""
    key = os.environ.get(name) or (get_random_secret_key() if may_be_random else None)
    if key is None:
        raise ImproperlyConfigured(
            f"Set {name}: without DJANGO_DEBUG the site needs a secret key of its own, "
            "and with any DJANGO_PROFILE but embedded its processes need the same one."
        )
    return key


PROFILE = make_profile(os.environ.get("DJANGO_PROFILE", ""), os.environ.get("DJANGO_REDIS_URL", ""))
DEBUG = read_flag("DJANGO_DEBUG", True)
SECRET_KEY = read_secret_key("DJANGO_SECRET_KEY", may_be_random=DEBUG and not PROFILE.is_shared)
ALLOWED_HOSTS = read_list("DJANGO_ALLOWED_HOSTS")  # with DEBUG, localhost is allowed by default
# Pages that may read the site's answers may also start its tasks.
CORS_ALLOWED_ORIGINS = read_list("DJANGO_CORS_ALLOWED_ORIGINS")
CSRF_TRUSTED_ORIGINS = [*read_list("DJANGO_CSRF_TRUSTED_ORIGINS"), *CORS_ALLOWED_ORIGINS]

# Whether the site is reached by HTTPS only. Behind a proxy, run daphne with --proxy-headers.
IS_HTTPS = read_flag("DJANGO_HTTPS", False)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = False
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]  # these concern a whole domain, not one site
# Everybody may start what the demo shows; the server's own limit of open files is not that of who runs the checks.
SILENCED_SYSTEM_CHECKS += ["tasks_app.W016", "tasks_app.W017"]
if not PROFILE.is_shared:
    SILENCED_SYSTEM_CHECKS.append("tasks_app.W012")  # this profile is one process

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
    *PROFILE.apps,
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

DATABASE = Path(os.environ.get("DJANGO_DATABASE") or BASE_DIR / "db.sqlite3")
SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    # Imports write for seconds while pages read: wait for the lock, and take it at the start of a transaction.
    "OPTIONS": {"timeout": 60, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"},
}
DATABASES = {"default": {**SQLITE, "NAME": DATABASE}}
if PROFILE.needs_cache_database:
    DATABASES["cache"] = {**SQLITE, "NAME": DATABASE.with_suffix(".cache.sqlite3")}
    DATABASE_ROUTERS = ["progress_site.routers.CacheRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The default task runs before any migration, whatever cookies a browser has: sessions need no table, and a session
# without its user is anonymous.
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
AUTHENTICATION_BACKENDS = ["progress_site.accounts.AccountBackend"]

# The tasks have their own cache, so that nothing else of the site can evict or clear them.
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    "tasks": PROFILE.cache,
}
CHANNEL_LAYERS = PROFILE.channel_layers
TASKS = {"default": PROFILE.tasks}
DEMO_MAX_COUNT = 50  # the most tasks that a form starts at once
STARTABLE = (
    "simulate",
    "scan_folders",
    "train_model",
    "archive_photos",
    "write_report",
    "develop_photos",
    "import_sample",
)
TASKS_APP = {
    "CACHE": "tasks",
    "STARTABLE": {name: f"{PROFILE.jobs}.{name}" for name in STARTABLE},
    "DEFAULT_TASK": "simulate",
    "ALLOW_ANONYMOUS_START": True,
    # Nobody logs in, so the client that an address stands for may be a whole class, or a proxy.
    "MAX_STREAMS_PER_CLIENT": 2000,
    "MAX_REQUESTS_PER_CLIENT": None,
    # Without debug, fewer than there are workers: no visitor holds all of them.
    "MAX_UNFINISHED_PER_CLIENT": read_size("DJANGO_MAX_TASKS_PER_CLIENT", 500 if DEBUG else DEMO_MAX_COUNT),
    "START_RATE": "6000/m",
    "RESULT_MAX_BYTES": 512 * 1024,  # room for the reasons why 1,000 rows of an import were skipped
}
# How long a simulation may hold its worker.
SIMULATION_MAX_SECONDS = read_size("DJANGO_SIMULATION_MAX_SECONDS", 3600 if DEBUG else 120)

IMPORT_TASK = f"{PROFILE.jobs}.import_csv"
CELERY_BROKER_URL = os.environ.get("DJANGO_BROKER_URL", "").strip() or PROFILE.broker_url
CELERY_BROKER_TRANSPORT_OPTIONS = REDIS_TIMEOUTS
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_RESULT_BACKEND, CELERY_RESULT_EXPIRES = PROFILE.broker_url, 3600  # a chord collects results there

# Uploads wait here for their import; the folder is not served.
MEDIA_ROOT = Path(os.environ.get("DJANGO_MEDIA_ROOT") or BASE_DIR / "media")
FILE_UPLOAD_PERMISSIONS = 0o600
IMPORT_MAX_BYTES = read_size("DJANGO_IMPORT_MAX_BYTES", 20 * 1024 * 1024)

CORS_ALLOW_ALL_ORIGINS = DEBUG  # to read; to start a task, a page of another origin must be trusted
CORS_ALLOW_HEADERS = [*default_headers, "cache-control", "idempotency-key", "last-event-id"]
CORS_EXPOSE_HEADERS = ["ETag", "Location", "Retry-After", "Server-Time"]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = Path(os.environ.get("DJANGO_STATIC_ROOT") or BASE_DIR / "build" / "static")
# Django's own way to serve them is not meant for the public: there, the proxy serves STATIC_ROOT.
SERVES_STATIC = read_flag("DJANGO_SERVE_STATIC", DEBUG)
