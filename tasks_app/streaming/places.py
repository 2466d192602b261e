"""The places that clients take in this process, one for each of their streams."""

import threading
from collections import Counter

from ..utils.lazy import per_process


class Place:
    """One stream of a client; it is given back at the end of the stream, or with the last reference to it."""

    __slots__ = ("_client", "_is_taken", "_places")

    def __init__(self, places: "Places", client: str) -> None:
        self._places, self._client = places, client
        self._is_taken = True

    def __del__(self) -> None:
        self.give_back()

    def give_back(self) -> None:
        """Let the client open another stream; may be called from any thread, and more than once."""
        if self._is_taken:
            self._is_taken = False
            self._places.give_back(self._client)


class Places:
    """The number of streams that each client has open; clients without any are forgotten."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a garbage collection may give a place back while one is taken
        self._counts: Counter[str] = Counter()

    def take(self, client: str, limit: int | None) -> Place | None:
        """Return a place for one more stream of a client, or None if `limit` are taken."""
        with self._lock:
            if limit is not None and self._counts[client] >= limit:
                return None
            self._counts[client] += 1
        return Place(self, client)

    def give_back(self, client: str) -> None:
        """Forget one stream of a client; called by its place."""
        with self._lock:
            self._counts[client] -= 1
            if self._counts[client] <= 0:
                del self._counts[client]

    def count(self, client: str) -> int:
        """Return how many streams a client has open."""
        return self._counts.get(client, 0)


#: What a stream has that counts for no client.
NO_PLACE = Place(Places(), "")


@per_process()
def get_places() -> Places:
    """Return the places of this process; after a fork, the streams are the parent's."""
    return Places()
