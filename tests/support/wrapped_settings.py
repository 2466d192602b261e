"""The site of `wire_settings`, and what the tests of `tasks_app.asgi` ask of it."""

from tests.support.wire_settings import *  # noqa: F403
from tests.support.wire_settings import TASKS_APP

ROOT_URLCONF = "tests.support.wrapped_site"
TASKS_APP["STARTABLE"] = {**TASKS_APP["STARTABLE"], "flood": "tests.support.wrapped_site.flood"}
