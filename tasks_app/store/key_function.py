"""The site's KEY_FUNCTION, called once and outside of requests, so that all threads make the same keys."""

import threading
from collections.abc import Callable
from contextvars import Context

from django.core.cache import BaseCache
from django.core.cache.backends.base import default_key_func

KeyFunction = Callable[[str, str, int], str]

#: Stands for the key in what a key function makes.
_MARK = "tasks_app:key"


def fix_keys(cache: BaseCache) -> None:
    """Have a connection make the same keys in each thread.

    A key function may ask for the tenant of the thread or the request, as that of django-tenants does; but a task is
    started in a request, written by another thread and read by a third. So its keys are made with what the function
    returns in a new thread. A function that hides the key in what it returns, such as a hash, stays as it is.
    """
    if cache.key_func is not default_key_func and (template := find_template(cache)) is not None:
        before, after = template
        cache.key_func = lambda key, prefix, version: f"{before}{key}{after}"


def keeps_key(cache: BaseCache) -> bool:
    """Return whether the key function leaves the key as it is, between other texts."""
    return find_template(cache) is not None


def find_template(cache: BaseCache) -> tuple[str, str] | None:
    """Return what the key function puts before and after a key, or None if it changes the key itself."""
    made = _call_in_new_thread(cache.key_func, cache.key_prefix, cache.version)
    before, mark, after = made.partition(_MARK)
    return (before, after) if mark else None


def _call_in_new_thread(make_key: KeyFunction, prefix: str, version: int) -> str:
    made: list[str] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            made.append(str(Context().run(make_key, _MARK, prefix, version)))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return made[0]
