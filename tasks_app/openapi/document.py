"""The whole description, for a site whose endpoints stand under some prefix."""

from typing import Any

from .events import EVENTS
from .operations import PATHS
from .parameters import PARAMETERS
from .responses import HEADERS, RESPONSES
from .schemas import SCHEMAS

#: The version of the contract, which grows with what no client can ignore.
VERSION = "1.0"

_DESCRIPTION = (
    "Live progress of long-running jobs. Clients must ignore members and events that they do not know. Methods that a "
    "path does not have are answered with 405."
)


def make_document(prefix: str, session_cookie: str, csrf_header: str) -> dict[str, Any]:
    """Return the description of the endpoints.

    Args:
        prefix: the path under which the endpoints stand, without a slash at its end.
        session_cookie: the name of the cookie by which the site knows its users.
        csrf_header: the name of the header with the CSRF token.
    """
    return {
        "openapi": "3.2.0",
        "info": {"title": "tasks_app", "version": VERSION, "description": _DESCRIPTION},
        "servers": [{"url": prefix or "/"}],
        "paths": PATHS,
        "components": {
            "schemas": {**SCHEMAS, **EVENTS},
            "parameters": PARAMETERS,
            "responses": RESPONSES,
            "headers": HEADERS,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": session_cookie},
                "csrf": {"type": "apiKey", "in": "header", "name": csrf_header},
                "bearer": {"type": "http", "scheme": "bearer", "description": "a token that shows or cancels tasks"},
                "token": {"type": "apiKey", "in": "query", "name": "token", "description": "the same in the query"},
            },
        },
    }
