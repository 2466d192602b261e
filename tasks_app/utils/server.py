"""What a server gives a request, and whether it has been told to stop."""

import signal

from asgiref.sync import SyncToAsync
from django.db import close_old_connections, connections


def is_server_stopping() -> bool:
    """Has uvicorn been told to stop? It then waits for all that is open, for ever, and refuses new requests.

    Other servers cut off their connections by themselves. Of this one the handler of SIGTERM, which stands for all
    signals that stop it, is a method of the object that says so: https://www.uvicorn.org/server-behavior/
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(server, "should_exit", False) is True


def release_request_thread() -> None:
    """Let go of the thread, and of the database connections open in it, that serve the running ASGI request.

    Django's handler keeps both until the response has ended: for a stream that is hours, for nothing. Neither is
    waited for: the thread closes its connections and ends. Sync code that runs later gets a new one. Where others
    use the thread too, it stays, and connections that may be used again (CONN_MAX_AGE) stay open in it.
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is None or (executor := SyncToAsync.context_to_thread_executor.get(context)) is None:
        return
    if (release := getattr(executor, "release", None)) is not None:  # one of `wrap`, which is shared
        release()
    elif getattr(context, "_executor", None) is not None:  # lent by whoever entered the context
        executor.submit(close_old_connections)
    else:
        executor.submit(connections.close_all)
        del SyncToAsync.context_to_thread_executor[context]
        executor.shutdown(wait=False)
