"""A host project as `startproject` makes it, with the app, Daphne, and nothing tuned but FLUSH_INTERVAL."""

import json
import os

SECRET_KEY = "benchmarks"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "benchmarks.site.urls"
USE_TZ = True
INSTALLED_APPS = [
    "daphne",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "tasks_app",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ASGI_APPLICATION = "benchmarks.site.asgi.application"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CACHES = {
    "default": {
        "BACKEND": "benchmarks.site.caches.CountingCache",
        "OPTIONS": {"MAX_ENTRIES": 1_000_000},
    }
}
TASKS = {
    "default": {
        "BACKEND": "tasks_app.backends.InProcessBackend",
        "OPTIONS": {"max_workers": 8, "max_queue": 100_000},
    }
}
TASKS_APP = {
    "STARTABLE": {
        "pulse": "benchmarks.site.tasks.pulse",
        "beat": "benchmarks.site.tasks.beat",
        "nothing": "benchmarks.site.tasks.nothing",
    },
    "ALLOW_ANONYMOUS_START": True,
    "OWNERLESS": "id",  # viewers follow what a view enqueues, and have no login
    "FLUSH_INTERVAL": 0.01,
    "MAX_STREAMS": 100_000,
    # All viewers and starts come from this machine.
    "MAX_STREAMS_PER_CLIENT": None,
    "MAX_REQUESTS_PER_CLIENT": None,
    "MAX_UNFINISHED_PER_CLIENT": None,
    "START_RATE": None,
    **json.loads(os.environ.get("BENCHMARK_TASKS_APP", "{}")),
}
