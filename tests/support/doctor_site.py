"""The site that the doctor examines."""

import os

from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from tasks_app.asgi import wrap

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.doctor_settings")

application = wrap(get_asgi_application())


def show_script(request: HttpRequest, name: str) -> HttpResponse:
    """Stand in for what serves static files."""
    return HttpResponse("", content_type="text/javascript")


urlpatterns = [path("", include("tasks_app.urls")), path("static/<path:name>", show_script)]
