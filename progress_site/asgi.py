"""The ASGI application: `daphne progress_site.asgi:application`.

It is wrapped, so that all requests share a few threads, and viewers that do not read can't fill the memory.
"""

import os

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

from tasks_app.asgi import wrap

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "progress_site.settings")

application = get_asgi_application()
if settings.SERVES_STATIC:
    application = ASGIStaticFilesHandler(application)
application = wrap(application)
