"""The test project in `tasks_app.asgi.wrap()`; what Twisted, behind Daphne, takes for an error is in the log."""

import logging
from typing import Any

from twisted.logger import globalLogPublisher

from tasks_app.asgi import wrap
from tests.support.asgi import application as plain


def log_failure(event: dict[str, Any]) -> None:
    if (failure := event.get("log_failure")) is not None:
        logging.getLogger("twisted").error("Twisted failed: %r", failure.value)


globalLogPublisher.addObserver(log_failure)
application = wrap(plain)
