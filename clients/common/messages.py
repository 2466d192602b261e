"""What a server sends, which may be another one than the app: what can't be shown is refused here, and named."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn
from urllib.parse import urljoin

from .reconnection import Interrupted, TaskError
from .texts import to_line

#: The most characters of a message that is no such that are said.
MAX_SAID = 60


def read_start(body: bytes, url: str) -> tuple[str, str]:
    """Return the id of a task and the URL of its progress, from the answer to its start.

    Raises:
        TaskError: the answer names no task.
    """
    text = body.decode("utf-8-sig", "replace")
    match parse(text):
        case {"task_id": str(task_id), "progress_url": str(progress_url)}:
            return task_id, urljoin(url, progress_url)
    raise TaskError(f"POST {url} answered 202, but names no task: {say(text)}")


def read_event(name: str, text: str) -> Any:
    """Return what an event of a stream says: a snapshot for "message", which has the types that it should.

    Raises:
        Interrupted: it is none of the app's.
    """
    match name, parse(text):
        case "message", {"progress": int(), "status": str(), "state": str()} as data:
            return {field: value for field, value in data.items() if TYPES.get(field, is_any)(value)}
        case "log", {"lines": [*lines]} as data if all(map(is_line, lines)):
            return data
        case other, dict() as data if other not in ("message", "log"):
            return data
    raise Interrupted(f"the server sent what is no event of the app: {say(text)}", is_nonsense=True)


def parse(text: str) -> Any:
    """Return the value of a JSON text, or None."""
    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return None


def refuse(name: str) -> NoReturn:
    """Refuse what JSON does not have: NaN, Infinity.

    Raises:
        ValueError: always.
    """
    raise ValueError(name)


def say(text: str) -> str:
    """Return the beginning of a text, for one line of a terminal."""
    return repr(to_line(text[:MAX_SAID]))


def is_any(value: object) -> bool:
    """Return whether a value can be that of a field which is not shown: all can."""
    return True


def is_text(value: object) -> bool:
    """Return whether a field that may be missing is a text."""
    return value is None or isinstance(value, str)


def is_number(value: object) -> bool:
    """Return whether a field that may be missing is a number that can be written."""
    return value is None or (isinstance(value, int | float) and abs(value) < 1e300)


def is_time(value: object) -> bool:
    """Return whether a field that may be missing is a time with its zone."""
    try:
        return value is None or (isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None)
    except ValueError:
        return False


def is_error(value: object) -> bool:
    """Return whether a field that may be missing is the error of a task."""
    match value:
        case None | {"type": str(), "message": str()}:
            return True
    return False


def is_line(value: object) -> bool:
    """Return whether a value is one line of a log."""
    return isinstance(value, Mapping) and all(isinstance(value.get(name), str) for name in ("t", "level", "text"))


#: Whether each field that is shown, and may be missing, has its type.
TYPES = {
    **dict.fromkeys(("label", "task", "unit", "conclusion"), is_text),
    **dict.fromkeys(("percent", "current", "total", "rate", "eta", "expected"), is_number),
    **dict.fromkeys(("started_at", "finished_at"), is_time),
    "error": is_error,
}
