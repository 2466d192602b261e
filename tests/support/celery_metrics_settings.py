"""The test project whose Celery workers count for Prometheus."""

from tests.support.celery_settings import *  # noqa: F403
from tests.support.celery_settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tasks_app.contrib.prometheus"]
