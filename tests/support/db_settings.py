"""A host project whose tasks wait in a database for `db_worker`; what a test must vary is in the environment."""

import json
import os

from django import VERSION

from tests.support.settings import *  # noqa: F403
from tests.support.settings import INSTALLED_APPS as BASE_APPS
from tests.support.settings import TASKS_APP as BASE

ROOT_URLCONF = "tests.support.db_urls"
INSTALLED_APPS = [*BASE_APPS, *(["django_tasks"] if VERSION < (6,) else []), "django_tasks_db"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["DB_DATABASE"],
        "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"},
    }
}

LOCATION = os.environ["DB_LOCATION"]
CACHES = {
    "default": {
        "BACKEND": os.environ.get("DB_CACHE", "django.core.cache.backends.redis.RedisCache"),
        "LOCATION": LOCATION,
    }
}
if LOCATION.startswith("redis://"):
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": LOCATION, "socket_timeout": None}]},
        }
    }
    CACHES["default"]["OPTIONS"] = json.loads(os.environ.get("CACHE_OPTIONS", "{}"))
else:
    CACHES["default"]["OPTIONS"] = {"MAX_ENTRIES": 100_000}

TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": []}}
TASKS_APP = {
    **BASE,
    "STARTABLE": {**BASE["STARTABLE"], "puppet": "tests.support.db_jobs.puppet", "echo": "tests.support.jobs.echo"},
    # With a channel layer so rarely that only wake-ups can be in time.
    "SWEEP_INTERVAL": 300 if LOCATION.startswith("redis://") else 0.2,
    **json.loads(os.environ.get("DB_TASKS_APP", "{}")),
}
