"""The host project in several processes, with every default of tasks_app: Valkey for the cache and the wake-ups."""

import os

from benchmarks.site.tracked_settings import *  # noqa: F403

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": os.environ["VALKEY_URL"], "socket_timeout": None}]},
    }
}
