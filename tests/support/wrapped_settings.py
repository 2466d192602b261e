"""The site of `wire_settings`, and what the tests of `tasks_app.asgi` ask of it."""

import os

from tests.support.wire_settings import *  # noqa: F403
from tests.support.wire_settings import DATABASES, TASKS_APP

ROOT_URLCONF = "tests.support.wrapped_site"
DATABASES["default"]["CONN_MAX_AGE"] = int(os.environ.get("WIRE_CONN_MAX_AGE", "0"))
TASKS_APP["STARTABLE"] = {**TASKS_APP["STARTABLE"], "flood": "tests.support.wrapped_site.flood"}
