"""The state of the ASGI server, and the thread that it gives a request."""

import signal

from asgiref.sync import SyncToAsync
from django.db import close_old_connections, connections


def is_server_stopping() -> bool:
    """Return whether uvicorn was told to stop; it then refuses new requests and waits for open ones without limit.

    Other servers close their connections themselves, so the answer is False for them. Uvicorn's handler of SIGTERM,
    which it uses for every signal that stops it, is a method of its server object, whose `should_exit` is read:
    https://www.uvicorn.org/server-behavior/
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(server, "should_exit", False) is True


def release_request_thread() -> None:
    """Release the thread of the running ASGI request, and its database connections, without waiting.

    Django's handler keeps both until the response ends, which takes hours for a stream that needs neither. The thread
    closes its connections and ends; sync code that runs later gets a new one. A thread that other requests share
    stays, and so do its connections that may be used again (CONN_MAX_AGE).
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is None or (executor := SyncToAsync.context_to_thread_executor.get(context)) is None:
        return
    if (release := getattr(executor, "release", None)) is not None:  # a shared thread of `tasks_app.asgi.wrap`
        release()
    elif getattr(context, "_executor", None) is not None:  # the code that entered the context owns the executor
        executor.submit(close_old_connections)
    else:
        executor.submit(connections.close_all)
        del SyncToAsync.context_to_thread_executor[context]
        executor.shutdown(wait=False)
