"""The host project in several processes: a Celery worker, and Valkey for its broker, the cache and the wake-ups."""

import os

from benchmarks.site.settings import *  # noqa: F403
from benchmarks.site.settings import INSTALLED_APPS, TASKS_APP

VALKEY_URL = os.environ["VALKEY_URL"]

INSTALLED_APPS = [*INSTALLED_APPS, "tasks_app.contrib.celery", "celery_progress"]
ROOT_URLCONF = "benchmarks.celery_site.urls"
ASGI_APPLICATION = "benchmarks.site.asgi.application"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": VALKEY_URL}}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": VALKEY_URL, "socket_timeout": None}]},
    }
}
TASKS_APP = {**TASKS_APP, "STARTABLE": {"stir": "benchmarks.celery_site.tasks.stir"}}
CELERY_BROKER_URL = CELERY_RESULT_BACKEND = VALKEY_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
