"""The ASGI application: `daphne progress_site.asgi:application`.

`wrap` answers streams with tokens below Django, and keeps viewers that do not read from filling the memory.
"""

import gc
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

# What is loaded by now stays. The garbage collector would go through all of it, while every request and stream waits.
gc.collect()
gc.freeze()
