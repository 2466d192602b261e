"""A host project whose tasks RQ's workers run, by django-tasks-rq."""

import os

from tests.support.shared_settings import *  # noqa: F403
from tests.support.shared_settings import INSTALLED_APPS, TASKS_APP

INSTALLED_APPS = [*INSTALLED_APPS, "django_tasks", "django_tasks_rq", "django_rq"]
RQ_QUEUES = {"default": {"URL": os.environ["QUEUE_URL"]}}
TASKS = {"default": {"BACKEND": "django_tasks_rq.RQBackend"}}
TASKS_APP = {**TASKS_APP, "EXPOSE_ERRORS": True}
