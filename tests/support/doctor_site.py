"""The site that the doctor examines."""

import os

from django.core.asgi import get_asgi_application
from django.urls import include, path

from tasks_app.asgi import wrap

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.doctor_settings")

application = wrap(get_asgi_application())
urlpatterns = [path("", include("tasks_app.urls"))]
