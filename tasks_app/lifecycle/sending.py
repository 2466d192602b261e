"""Signals sent from an event loop, without a thread where no receiver can block it."""

from functools import cache
from typing import Any

from django.dispatch import Signal

from . import compat, receivers


def has_foreign_receivers(signal: Signal, sender: object) -> bool:
    """Return whether others than the framework, which logs, and this app listen to the signals of a sender.

    Django documents no way to ask; where that of today is missing, it counts as if there were some.
    """
    try:
        sync_receivers, async_receivers = signal._live_receivers(sender)
    except Exception:
        return True
    return any(item.__module__ not in _find_own_modules() for item in (*sync_receivers, *async_receivers))


async def asend(signal: Signal, sender: object, **values: Any) -> None:
    """Do what `signal.asend` does; where only the framework and this app listen, in this thread.

    Raises:
        Exception: raised by a receiver.
    """
    if has_foreign_receivers(signal, sender):
        await signal.asend(sender, **values)
    else:
        signal.send(sender, **values)


@cache
def _find_own_modules() -> set[str]:
    return {receivers.__name__, *(module.__name__ for module in compat.signal_modules())}
