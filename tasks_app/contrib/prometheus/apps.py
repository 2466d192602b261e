from django.apps import AppConfig

from . import checks


class PrometheusConfig(AppConfig):
    name = "tasks_app.contrib.prometheus"
    label = "tasks_app_prometheus"
    verbose_name = "Tasks: Prometheus"

    def ready(self) -> None:
        checks.register()
        if checks.has_client():
            from .registry import install

            install()
