"""The site that tests talk to over a socket; what a test must vary is read from the environment."""

import json
import os

from tests.support.settings import *  # noqa: F403
from tests.support.settings import TASKS_APP as BASE

ROOT_URLCONF = "tests.support.wire_urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ.get("WIRE_DATABASE", ":memory:")}}
if folder := os.environ.get("WIRE_CACHE"):
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": folder}}
TASKS = {"default": {"BACKEND": "tasks_app.backends.InProcessBackend", "OPTIONS": {"max_workers": 64}}}
TASKS_APP = {
    **BASE,
    "STARTABLE": {
        **BASE["STARTABLE"],
        "echo": "tests.support.jobs.echo",
        "puppet": "tests.support.puppets.puppet",
        "async_puppet": "tests.support.puppets.async_puppet",
    },
    "SWEEP_INTERVAL": 1.0,
    **json.loads(os.environ.get("WIRE_TASKS_APP", "{}")),
}
