"""The test project whose tasks Celery runs; a test sets the times of TASKS_APP in the environment, as JSON."""

import json
import os

from tests.support.shared_settings import *  # noqa: F403
from tests.support.shared_settings import INSTALLED_APPS, TASKS_APP

INSTALLED_APPS = [*INSTALLED_APPS, "tasks_app.contrib.celery"]
TASKS_APP = TASKS_APP | {"SWEEP_INTERVAL": 0.05} | json.loads(os.environ.get("TASKS_APP", "{}"))
