"""The app config of `tasks_app`."""

from django.apps import AppConfig


class TasksAppConfig(AppConfig):
    """The Django app; once loaded, it registers the checks and connects the signal receivers."""

    name = "tasks_app"
    verbose_name = "Tasks"

    def ready(self) -> None:
        from . import checks
        from .lifecycle import connect

        checks.register()
        connect()
