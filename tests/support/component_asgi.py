"""The site of `component_settings`, with its static files."""

import os

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.management import call_command

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.component_settings")

application = get_asgi_application()
if settings.STATIC_ROOT:
    # A comment in django-htmx's scripts names a module that it lacks, which Django 5.2 takes for an import.
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=["django_htmx"])
else:
    application = ASGIStaticFilesHandler(application)
