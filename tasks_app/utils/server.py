"""The state of the ASGI server, and the thread that it gives a request."""

import signal

from asgiref.sync import SyncToAsync
from django.db import close_old_connections, connections

from .listening import ListeningSockets


class Server:
    """The ASGI server of this process, as far as it lets an application know that it stops.

    Most servers then wait until open connections have ended, some of them without limit.
    """

    def __init__(self) -> None:
        self._sockets = ListeningSockets()

    def is_stopping(self) -> bool:
        """Return whether it was told to stop since the last call; Daphne, which waits for nobody, does not matter."""
        return self._sockets.has_lost_one() or _is_uvicorn_stopping()


def release_request_thread() -> None:
    """Release the thread of the running ASGI request, and its database connections, without waiting.

    Django's handler keeps both until the response ends, which takes hours for a stream that needs neither. The thread
    closes its connections and ends; sync code that runs later gets a new one. A thread that other requests share
    stays, and so do its connections that may be used again (CONN_MAX_AGE).
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is None or (executor := SyncToAsync.context_to_thread_executor.get(context)) is None:
        return
    if getattr(context, "_executor", None) is not None:  # the code that entered the context owns the executor
        executor.submit(close_old_connections)
    else:
        executor.submit(connections.close_all)
        del SyncToAsync.context_to_thread_executor[context]
        executor.shutdown(wait=False)


def _is_uvicorn_stopping() -> bool:
    """Return whether uvicorn was told to stop, also where the system does not list the sockets of a process.

    Its handler of SIGTERM, which it uses for every signal that stops it, is a method of its server object, whose
    `should_exit` is read: https://www.uvicorn.org/server-behavior/
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(server, "should_exit", False) is True
