"""The system check of what metrics need."""

from importlib.util import find_spec

from django.core import checks


def register() -> None:
    """Register this check with Django."""
    checks.register(check_client)


def has_client() -> bool:
    """Whether prometheus-client is installed."""
    return find_spec("prometheus_client") is not None


def check_client(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Check that prometheus-client is installed."""
    if has_client():
        return []
    return [
        checks.Error(
            "INSTALLED_APPS has 'tasks_app.contrib.prometheus', but prometheus-client is not installed.",
            hint="Run 'pip install prometheus-client'.",
            id="tasks_app.E011",
        )
    ]
