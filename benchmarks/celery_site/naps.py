"""A short Celery task that reports nothing and has no result."""

from benchmarks.celery_site.celery import app
from benchmarks.site.naps import nap as function

nap = app.task(name="nap", ignore_result=True)(function.func)
