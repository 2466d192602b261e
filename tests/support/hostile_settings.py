"""The site of `wrapped_settings` with the limits that a site has, and what a hostile client would start on it."""

import json
import os

from tests.support.wrapped_settings import *  # noqa: F403
from tests.support.wrapped_settings import TASKS_APP as BASE

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 3_000},
    }
}
LIMITS = (
    *("MAX_STREAMS_PER_CLIENT", "MAX_REQUESTS_PER_CLIENT", "MAX_UNFINISHED_PER_CLIENT"),
    *("START_RATE", "OWNERLESS"),
)
TASKS_APP = {
    **{name: value for name, value in BASE.items() if name not in LIMITS},
    "POLICY": "tests.support.hostile_jobs.OpenList",
    "STARTABLE": {
        **BASE["STARTABLE"],
        "shout": "tests.support.hostile_jobs.shout",
        "divide": "tests.support.hostile_jobs.divide",
    },
    **json.loads(os.environ.get("WIRE_TASKS_APP", "{}")),
}
