"""The test project in `tasks_app.asgi.wrap()`, where all requests of the process run their sync code in one thread."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext

from tasks_app.asgi import wrap
from tests.support.asgi import application as plain

_thread = ThreadPoolExecutor(max_workers=1)


async def _share(scope: Any, receive: Any, send: Any) -> None:
    async with ThreadSensitiveContext() as context:
        context._executor = _thread  # as `ThreadSensitiveContext(executor=...)` does, which older asgiref has not
        SyncToAsync.context_to_thread_executor[context] = _thread
        try:
            await plain(scope, receive, send)
        finally:
            del SyncToAsync.context_to_thread_executor[context]
            context._executor = None


application = wrap(_share)
