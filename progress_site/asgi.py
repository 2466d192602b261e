"""The ASGI application: `daphne progress_site.asgi:application`."""

import os

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "progress_site.settings")

application = get_asgi_application()
if settings.SERVES_STATIC:
    application = ASGIStaticFilesHandler(application)
