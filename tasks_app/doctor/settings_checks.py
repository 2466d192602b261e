"""The settings, by the system checks of this app: what they suspect is a finding."""

from collections.abc import Iterator

from django.conf import settings
from django.core import checks

from .finding import Finding, Level, Result

#: Where each is explained.
PREFIX = "tasks_app."


#: Asks whether several web processes share the cache.
ABOUT_PROCESSES = "tasks_app.W012"


def examine_settings(*, processes: int | None) -> Iterator[Result]:
    """Yield what the system checks of this app find, those of a deployment included unless DEBUG is on.

    Checks that SILENCED_SYSTEM_CHECKS names stay silent.

    Args:
        processes: how many processes run the site and its workers, as far as is known.
    """
    if settings.DEBUG:
        yield Finding(
            id="debug",
            level=Level.NOTE,
            what="DEBUG is on, so this is no deployment: the checks of 'manage.py check --deploy' are left out.",
        )
    found = checks.run_checks(include_deployment_checks=not settings.DEBUG)
    for message in found:
        is_answered = message.id == ABOUT_PROCESSES and processes == 1
        if str(message.id).startswith(PREFIX) and not message.is_silenced() and not is_answered:
            yield _make_finding(message)


def _make_finding(message: checks.CheckMessage) -> Finding:
    level = Level.ERROR if message.is_serious(checks.ERROR) else Level.WARNING
    return Finding(id=str(message.id), level=level, what=message.msg, cure=message.hint or "")
