"""Another process of the site, with the same settings: what it sees is shared between processes."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from django.conf import settings

#: What the process runs; prints of the site's own code go where its errors go.
PROGRAM = """
import os
replies = os.dup(1)
os.dup2(2, 1)
import django
django.setup()
from tasks_app.doctor.peer_process import main
main(replies)
"""

#: The longest that the process may take to start, and to answer.
START_SECONDS, ANSWER_SECONDS = 60.0, 10.0


class PeerFailed(Exception):
    """The process has not started, or does not answer."""


class Peer:
    """A running process of the site."""

    def __init__(self, process: "subprocess.Popen[str]", errors: IO[str]) -> None:
        self._process = process
        self._errors = errors
        self._replies: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._collect, name="tasks_app-doctor-peer", daemon=True)
        self._reader.start()

    def read(self, keys: Collection[str]) -> Mapping[str, Any]:
        """Return the values of keys that it finds in the cache.

        Raises:
            PeerFailed: it does not answer, or its cache fails.
        """
        found: Mapping[str, Any] = self.ask({"order": "read", "keys": list(keys)})["values"]
        return found

    def ask(self, order: Mapping[str, Any], *, seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Give an order, and return the reply.

        Raises:
            PeerFailed: it does not answer within `seconds`, or could not do it.
        """
        self.tell(order)
        return self.wait(seconds)

    def tell(self, order: Mapping[str, Any]) -> None:
        """Give an order without waiting for a reply."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise PeerFailed(self._explain()) from error

    def wait(self, seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Return the next reply.

        Raises:
            PeerFailed: none comes within `seconds`, or it says that an order failed.
        """
        try:
            line = self._replies.get(timeout=seconds)
        except queue.Empty:
            raise PeerFailed(f"it has not answered within {seconds:g} s") from None
        if not line:
            raise PeerFailed(self._explain())
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise PeerFailed(reply["error"])
        return reply

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._reader.join(ANSWER_SECONDS)

    def _collect(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._replies.put(line)
        self._replies.put("")

    def _explain(self) -> str:
        self._process.wait(ANSWER_SECONDS)
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return f"it ended with status {self._process.returncode!r}: {lines[-1] if lines else 'without a word'}"


@contextmanager
def run_peer() -> Iterator[Peer]:
    """Run another process of the site for the length of the block.

    Raises:
        PeerFailed: it does not start, or the settings are in no module that it could read.
    """
    environment = _make_environment()
    with (
        tempfile.TemporaryFile("w+", errors="replace") as errors,
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        peer = Peer(process, errors)
        try:
            peer.wait(START_SECONDS)
            yield peer
        finally:
            peer.end()


def _make_environment() -> dict[str, str]:
    module = os.environ.get("DJANGO_SETTINGS_MODULE") or getattr(settings, "SETTINGS_MODULE", None)
    if not module:
        raise PeerFailed("the settings are in no module, so no other process can read them")
    paths = os.pathsep.join(filter(None, sys.path))
    return {**os.environ, "DJANGO_SETTINGS_MODULE": module, "PYTHONPATH": paths}
