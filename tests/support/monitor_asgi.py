"""The site of `monitor_settings`, with its static files, its tables and its users."""

import os
from datetime import UTC, datetime

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.monitor_settings")

application = ASGIStaticFilesHandler(get_asgi_application())

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402

call_command("migrate", verbosity=0)
for user_id, (name, is_staff) in enumerate([("ana", True), ("li", False), ("omar@example.com", True)], start=1):
    if not User.objects.filter(pk=user_id).exists():
        joined = datetime(2000, 1, 1, tzinfo=UTC)  # before the tasks that are put there
        flags = {"is_staff": is_staff, "is_superuser": is_staff}
        User.objects.create_user(name, password=name, pk=user_id, date_joined=joined, **flags)
