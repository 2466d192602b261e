"""The host project with every default of tasks_app, on LocMem or, with VALKEY_URL in the environment, on Valkey."""

import os

from benchmarks.site.settings import *  # noqa: F403
from benchmarks.site.settings import TASKS_APP

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 1_000_000},
    }
}
if "VALKEY_URL" in os.environ:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": os.environ["VALKEY_URL"],
        }
    }
TASKS_APP = {name: value for name, value in TASKS_APP.items() if name != "FLUSH_INTERVAL"}
