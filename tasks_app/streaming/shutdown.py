"""The end of streams where a server says by itself that it stops; `Hub` finds out where it does not."""

from .hub import get_hubs
from .watch import expire_each


def end_all_streams() -> None:
    """End all streams of this process; may be called from any thread."""
    for hub in get_hubs():
        if not hub.loop.is_closed():
            hub.loop.call_soon_threadsafe(expire_each, hub.viewers)
