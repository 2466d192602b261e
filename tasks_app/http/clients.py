"""The names of clients, and the refusals of those that take too much."""

import logging
import math
from http import HTTPStatus

from django.http import HttpRequest

from ..conf import get_settings
from ..permissions import ask_each
from ..streaming import Place, get_places
from ..utils.addresses import name_address
from ..utils.rarely import Rarely
from .problems import RETRY_AFTER, Problem, say_rarely

logger = logging.getLogger("tasks_app")

_faults = Rarely()


async def identify(request: HttpRequest) -> str:
    """Return the name of the client that a request counts for, as the policy says.

    Where the policy gives it none, it is the client's address; the log then says so once a minute.
    """
    (name,) = await ask_each("identify", request, [()])
    if isinstance(name, str) and name:
        return name
    if _faults.is_due("name"):
        policy, kind = get_settings().POLICY, type(name).__name__
        logger.error("POLICY %r: identify returned no name but a %s; the client's address counts", policy, kind)
    return name_address(request.META.get("REMOTE_ADDR", ""))


def take_place(client: str) -> Place:
    """Return a place for one more stream of a client; the caller must give it back, or give it to the stream.

    Raises:
        Problem: MAX_STREAMS_PER_CLIENT are open.
    """
    limit = get_settings().MAX_STREAMS_PER_CLIENT
    if (place := get_places().take(client, limit)) is None:
        raise refuse(client, "MAX_STREAMS_PER_CLIENT", f"At most {limit!r} streams of one client may be open.")
    return place


def refuse(client: str, setting: str, detail: str, *, retry_after: float = RETRY_AFTER) -> Problem:
    """Return the problem of a client that takes more than a setting allows, and log it once a minute.

    Args:
        setting: the name of the setting.
        retry_after: the seconds after which the client may try again.
    """
    value = getattr(get_settings(), setting)
    say_rarely(setting, f"{_describe(client)} is refused by {setting} {value!r} (said once a minute)")
    problem = Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, Retry_After=str(max(1, math.ceil(retry_after))))
    problem.is_logged = True
    return problem


def _describe(client: str) -> str:
    """Return what the log may say of a client: a policy may name it by a secret, such as the key of an API."""
    if not client.startswith(("user:", "address:")):
        return "a client"
    text = f"client {client[:200]!r}"
    return f"{text} (a proxy, if it has one address for all)" if client.startswith("address:") else text
