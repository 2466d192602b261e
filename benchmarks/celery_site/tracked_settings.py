"""The host project with Celery and every default of tasks_app, for tasks that have a queue of their own."""

from benchmarks.celery_site.settings import *  # noqa: F403
from benchmarks.celery_site.settings import INSTALLED_APPS, TASKS_APP

INSTALLED_APPS = [name for name in INSTALLED_APPS if name != "celery_progress"]
TASKS_APP = {name: value for name, value in TASKS_APP.items() if name not in ("FLUSH_INTERVAL", "STARTABLE")}
CELERY_IMPORTS = ["benchmarks.celery_site.naps"]
CELERY_TASK_DEFAULT_QUEUE = "naps"
