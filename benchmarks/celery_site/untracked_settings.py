"""The host project with Celery, but without tasks_app."""

from benchmarks.celery_site.settings import *  # noqa: F403
from benchmarks.celery_site.tracked_settings import CELERY_IMPORTS as CELERY_IMPORTS
from benchmarks.celery_site.tracked_settings import CELERY_TASK_DEFAULT_QUEUE as _QUEUE
from benchmarks.celery_site.tracked_settings import INSTALLED_APPS
from benchmarks.site.untracked_settings import TASKS as TASKS

INSTALLED_APPS = [name for name in INSTALLED_APPS if not name.startswith("tasks_app")]
CELERY_TASK_DEFAULT_QUEUE = f"{_QUEUE}-untracked"
