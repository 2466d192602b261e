"""The test project on a Valkey server that processes share; it sweeps so rarely that only wake-ups can be in time."""

import json
import os

from tests.support.settings import *  # noqa: F403
from tests.support.settings import TASKS_APP

_URL = os.environ["VALKEY_URL"]

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": _URL,
        "OPTIONS": json.loads(os.environ.get("CACHE_OPTIONS", "{}")),
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": os.environ.get("LAYER", "channels_redis.pubsub.RedisPubSubChannelLayer"),
        "CONFIG": {
            "hosts": [{"address": _URL, "socket_timeout": json.loads(os.environ.get("LAYER_TIMEOUT", "null"))}]
        },
    }
}
TASKS_APP = {
    **TASKS_APP,
    "SWEEP_INTERVAL": float(os.environ.get("SWEEP_INTERVAL", "300")),
    **json.loads(os.environ.get("SHARED_TASKS_APP", "{}")),
}
