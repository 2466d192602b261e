"""The result of a job, or its exception."""

import logging
from typing import Any

from ..conf import get_settings
from ..utils.json import normalize

logger = logging.getLogger("tasks_app")


def admit_result(result: Any, task_id: str) -> tuple[Any, str | None]:
    """Return the result as JSON gives it back and None, or None and the reason for leaving it out.

    Viewers see the reason; what an exception says is logged, and shown to them only where errors are exposed.
    """
    if result is None:  # that of most jobs
        return None, None
    settings = get_settings()
    limit = settings.RESULT_MAX_BYTES
    try:
        result, text = normalize(result)
    except Exception as error:  # the methods of the result may raise anything
        message = get_message(error)
        logger.warning(
            "task %s: its result is not JSON, so it is left out: %s", task_id, message, extra={"task_id": task_id}
        )
        return None, f"The result is not JSON: {message}" if settings.exposes_errors else "The result is not JSON."
    if len(text) > limit:
        return None, f"The result has {len(text)} bytes as JSON; at most {limit} are kept."
    return result, None


def find_message(result: Any) -> str | None:
    """Return what a result says to people, its `message`; None without one."""
    message = result.get("message") if isinstance(result, dict) else None
    return message if isinstance(message, str) and message.strip() else None


def get_message(error: BaseException) -> str:
    """Return the text of an exception, or why it can't be read."""
    try:
        return str(error)
    except Exception as failure:
        # An exception may have a broken `__str__`; its task must end all the same.
        return f"(its message can't be read: {type(failure).__name__})"
