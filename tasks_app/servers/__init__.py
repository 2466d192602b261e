"""The parts that `tasks_app.asgi.wrap` puts between a server and an application."""

from .daphne import GuardedSend, find_request
from .lifespan import Application, Lifespan, Receive, Scope
from .middleware import batch_middleware, find_handlers
from .request_threads import RequestThreads
from .uvicorn import CycleOutlet, find_cycle

__all__ = [
    "Application",
    "CycleOutlet",
    "GuardedSend",
    "Lifespan",
    "Receive",
    "RequestThreads",
    "Scope",
    "batch_middleware",
    "find_cycle",
    "find_handlers",
    "find_request",
]
