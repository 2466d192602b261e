"""A small host project: what a stranger's site has, and nothing of the demo."""

import json
import os

SECRET_KEY = "tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.support.urls"
USE_TZ = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # others take a fifth of a second, as they should

INSTALLED_APPS = [
    "daphne",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "tasks_app",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ASGI_APPLICATION = "tests.support.asgi.application"
#: Another database is named by `tests.support.postgresql`.
DATABASES = {
    "default": json.loads(os.environ.get("TEST_DATABASE", "null"))
    or {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",  # of servers that are started with these settings; for the tests it is a file
        "OPTIONS": {
            "timeout": 120,  # seconds that a busy machine keeps
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;",
        },
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
TASKS = {"default": {"BACKEND": "tasks_app.backends.InProcessBackend", "OPTIONS": {"max_workers": 4, "max_queue": 20}}}
TASKS_APP = {
    "STARTABLE": {
        "add": "tests.support.jobs.add",
        "count": "tests.support.jobs.count",
        "greet": "tests.support.jobs.greet",
        "fail": "tests.support.jobs.fail",
        "wait": "tests.support.jobs.wait",
    },
    "DEFAULT_TASK": "count",
    "ALLOW_ANONYMOUS_START": True,
    "OWNERLESS": "id",  # most tests are not about owners
    # All tests are one client, which does much; those of the limits set them.
    "MAX_STREAMS_PER_CLIENT": None,
    "MAX_REQUESTS_PER_CLIENT": None,
    "MAX_UNFINISHED_PER_CLIENT": None,
    "START_RATE": None,
    "FLUSH_INTERVAL": 0.01,
    "SWEEP_INTERVAL": 0.05,
}
