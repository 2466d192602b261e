"""What a job leaves behind: its result, or an exception."""

from typing import Any

from ..conf import get_settings
from ..utils.json import normalize


def admit_result(result: Any) -> tuple[Any, str | None]:
    """Return the result as JSON gives it back and None, or None and the reason for leaving it out."""
    limit = get_settings().RESULT_MAX_BYTES
    try:
        result, text = normalize(result)
    except Exception as error:  # the methods of the result may raise anything
        return None, f"The result is not JSON: {get_message(error)}"
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
