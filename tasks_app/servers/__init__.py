"""The parts that `tasks_app.asgi.wrap` puts between a server and an application."""

from .daphne import GuardedSend, find_request
from .gate import HasLeft, enter, is_own
from .lane import open_stream, serve_stream
from .lifespan import Application, Lifespan, Receive, Scope

__all__ = [
    "Application",
    "GuardedSend",
    "HasLeft",
    "Lifespan",
    "Receive",
    "Scope",
    "enter",
    "find_request",
    "is_own",
    "open_stream",
    "serve_stream",
]
