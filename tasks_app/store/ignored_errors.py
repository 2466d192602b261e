"""Backends that a site has told to ignore their errors, so that a cache which is away looks empty."""

from typing import Any

from django.core.cache import BaseCache


def raise_errors(cache: BaseCache) -> None:
    """Have a connection raise the errors of its server, although the site has it ignore them.

    What is right for a page that can be made again is wrong for a task: one that can't be read is not one that never
    was. This is IGNORE_EXCEPTIONS of django-redis and django-valkey, which have no public name for it after they have
    read their options, and `ignore_exc` of pymemcache.
    """
    kept: dict[str, Any] = vars(cache)
    if "_ignore_exceptions" in kept:
        kept["_ignore_exceptions"] = False
    if isinstance(options := kept.get("_options"), dict) and "ignore_exc" in options:
        kept["_options"] = options | {"ignore_exc": False}
