"""The wrapper, around Django and around what others put around it."""

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

from tasks_app.asgi import wrap

application = wrap(get_asgi_application())
served = wrap(ASGIStaticFilesHandler(get_asgi_application()), lane=False)
rewrapped = wrap(wrap(get_asgi_application()))
