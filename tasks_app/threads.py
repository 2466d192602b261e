"""The thread that asgiref keeps for the sync code of each request."""

from asgiref.sync import SyncToAsync
from django.db import connections


def release_request_thread() -> None:
    """Let go of the thread, and of the database connections open in it, that serve the running ASGI request.

    Django's handler keeps both until the response has ended: for a stream that is hours, for nothing. Neither is
    waited for: the thread closes its connections and ends. Sync code that runs later gets a new one.
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is None or (executor := SyncToAsync.context_to_thread_executor.get(context)) is None:
        return
    executor.submit(connections.close_all)
    is_lent = getattr(context, "_executor", None) is not None  # by whoever entered the context; it is theirs
    if not is_lent:
        del SyncToAsync.context_to_thread_executor[context]
        executor.shutdown(wait=False)
