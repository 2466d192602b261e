"""A host project whose tasks the consumer of Huey runs, which keeps them in a file."""

import os

from tests.support.shared_settings import *  # noqa: F403
from tests.support.shared_settings import INSTALLED_APPS, TASKS_APP

INSTALLED_APPS = [*INSTALLED_APPS, "huey.contrib.djhuey"]
HUEY = {"huey_class": "huey.SqliteHuey", "filename": os.environ["QUEUE_URL"], "immediate": False}
TASKS = {
    "default": {"BACKEND": "huey.contrib.djhuey.tasks_backend.HueyBackend"},
    "on_commit": {"BACKEND": "huey.contrib.djhuey.tasks_backend.HueyBackend", "ENQUEUE_ON_COMMIT": True},
}
TASKS_APP = {**TASKS_APP, "EXPOSE_ERRORS": True}
