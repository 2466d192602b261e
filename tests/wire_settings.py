"""The site that tests talk to over a socket; what a test must vary is read from the environment."""

import json
import os

from tests.settings import *  # noqa: F403
from tests.settings import TASKS_APP as BASE

ROOT_URLCONF = "tests.wire_urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("WIRE_DATABASE", ":memory:")}}
if folder := os.environ.get("WIRE_CACHE"):
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": folder}}
TASKS = {"default": {"BACKEND": "tasks_app.backends.InProcessBackend", "OPTIONS": {"max_workers": 64}}}
TASKS_APP = {
    **BASE,
    "STARTABLE": {
        **BASE["STARTABLE"],
        "echo": "tests.jobs.echo",
        "puppet": "tests.puppets.puppet",
        "async_puppet": "tests.puppets.async_puppet",
    },
    "SWEEP_INTERVAL": 1.0,
    **json.loads(os.environ.get("WIRE_TASKS_APP", "{}")),
}
