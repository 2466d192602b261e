"""The host project without tasks_app."""

from benchmarks.site.settings import *  # noqa: F403
from benchmarks.site.settings import INSTALLED_APPS

INSTALLED_APPS = [name for name in INSTALLED_APPS if name != "tasks_app"]
TASKS = {"default": {"BACKEND": "benchmarks.site.backends.PlainBackend"}}
