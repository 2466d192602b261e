"""`application` as `startproject` writes it; `wrapped` with the wrapper of the app.

The end of the module is what docs/how-to/production.md advises.
"""

import gc
import os

from django.core.asgi import get_asgi_application

from tasks_app.asgi import wrap

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.site.settings")

application = get_asgi_application()
wrapped = wrap(application)

gc.collect()
gc.freeze()
