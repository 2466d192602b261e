from django.apps import AppConfig

from . import checks


class CeleryConfig(AppConfig):
    name = "tasks_app.contrib.celery"
    label = "tasks_app_celery"
    verbose_name = "Tasks: Celery"

    def ready(self) -> None:
        checks.register()
        if checks.has_celery():
            from . import receivers

            receivers.connect()
