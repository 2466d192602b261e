"""The app config of `tasks_app`."""

from django.apps import AppConfig


class TasksAppConfig(AppConfig):
    """The Django app; once loaded, it registers the checks, connects receivers and completes the endpoints."""

    name = "tasks_app"
    verbose_name = "Tasks"

    def ready(self) -> None:
        from . import checks, deploy_checks, security_checks
        from .http import exempt_from_transactions
        from .lifecycle import connect, connect_users

        checks.register()
        deploy_checks.register()
        security_checks.register()
        connect()
        connect_users()
        exempt_from_transactions()
