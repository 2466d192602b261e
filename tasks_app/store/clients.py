"""The stored records of what each client has started."""

from ..conf import get_settings
from .keys import make_client_key
from .lifetimes import to_seconds
from .store import get_store


def find_client(name: str) -> object:
    """Return what `keep_client` has stored, or None."""
    return get_store().cache.get(make_client_key(name))


def keep_client(name: str, text: str) -> None:
    """Store what is known of a client, for as long as a task of its may wait without a word."""
    get_store().cache.set(make_client_key(name), text, to_seconds(get_settings().ACTIVE_TTL))
