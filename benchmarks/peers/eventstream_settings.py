"""The same host project with django-eventstream in place of tasks_app."""

from benchmarks.site.settings import *  # noqa: F403
from benchmarks.site.settings import INSTALLED_APPS

INSTALLED_APPS = [*(name for name in INSTALLED_APPS if name != "tasks_app"), "django_eventstream"]
ROOT_URLCONF = "benchmarks.peers.eventstream_urls"
