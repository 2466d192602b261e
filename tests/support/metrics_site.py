"""The site whose processes count for Prometheus; Valkey is what they share."""

import os

from django.urls import include, path

from tests.support.shared_wire_settings import *  # noqa: F403
from tests.support.shared_wire_settings import INSTALLED_APPS, TASKS_APP
from tests.support.wire_urls import urlpatterns as wire_patterns

INSTALLED_APPS = [*INSTALLED_APPS, "tasks_app.contrib.prometheus"]
ROOT_URLCONF = "tests.support.metrics_site"
if "NO_LAYER" in os.environ:
    CHANNEL_LAYERS = {}
TASKS_APP = {**TASKS_APP, "METRICS_TOKEN": "scraper", "SWEEP_INTERVAL": 0.2}

urlpatterns = [*wire_patterns, path("", include("tasks_app.contrib.prometheus.urls"))]
