"""The Celery app of the demo site, for the profile "celery": `celery -A progress_site worker`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "progress_site.settings")

app = Celery("progress_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["progress_site"], related_name="celery_tasks")
