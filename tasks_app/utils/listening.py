"""The listening sockets of this process, by which a server that stops gives itself away.

A server that is told to stop closes them first, whatever it then waits for: uvicorn, gunicorn, hypercorn and granian
do. Before open connections have ended, nothing else tells an application of that in every server.
"""

import ctypes
import socket
from functools import cache
from pathlib import Path
from typing import Any

#: The files that a process has open, on Linux and macOS; Windows has no such folder.
_OPEN_FILES = Path("/dev/fd")


class ListeningSockets:
    """The sockets of this process that listen now, in order to notice that one is closed later."""

    def __init__(self) -> None:
        self._numbers = find_listening()

    def has_lost_one(self) -> bool:
        """Return whether one was closed since the last call; once all are closed, always True.

        A process may close one for another reason, such as a port for a debugger, and go on.
        """
        if all(map(is_listening, self._numbers)):
            return False
        self._numbers = find_listening() or self._numbers
        return True


def find_listening() -> list[int]:
    """Return the file descriptors of all sockets of this process that listen; none where no folder has its files."""
    try:
        numbers = [int(path.name) for path in _OPEN_FILES.iterdir()]
    except OSError:
        return []
    return [number for number in numbers if is_listening(number)]


def is_listening(number: int) -> bool:
    """Return whether this file descriptor is a socket that listens.

    The system's own function is called, because a Python socket made of a descriptor may change how it blocks, and
    because a duplicate of one that has become a file drops the locks on that file when it is closed.
    """
    value, size = ctypes.c_int(), ctypes.c_uint(ctypes.sizeof(ctypes.c_int))
    answer = ctypes.byref(value), ctypes.byref(size)
    failed = _find_getsockopt()(number, socket.SOL_SOCKET, socket.SO_ACCEPTCONN, *answer)
    return not failed and value.value != 0


@cache
def _find_getsockopt() -> Any:
    return ctypes.CDLL(None).getsockopt
