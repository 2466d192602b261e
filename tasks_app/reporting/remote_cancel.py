"""The exception that stops a part in another process than the job's."""

import secrets

from ..exceptions import TaskCancelled
from .exchange import Place, get_exchange, prove

#: What the proof in an exception is of.
_PURPOSE = b"cancel"


class RemoteCancelled(TaskCancelled):
    """What stops a part elsewhere; pickled back to the process of the job, it is what stops the job itself."""

    def __init__(self, text: str, home: int, proof: bytes) -> None:
        super().__init__(text)
        self._home, self._proof = home, proof

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (self.args[0], self._home, self._proof)


class CancelError:
    """The maker of the exceptions that stop the parts of a home in another process.

    They know the home without its secret, since exceptions are also stored and sent elsewhere.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def __call__(self, text: str) -> TaskCancelled:
        return RemoteCancelled(text, self._place.number, prove(self._place.secret, _PURPOSE))


def _restore(text: str, number: int, proof: bytes) -> TaskCancelled:
    exchange = get_exchange.peek()
    if exchange is None or not secrets.compare_digest(prove(exchange.secret, _PURPOSE), proof):
        return RemoteCancelled(text, number, proof)
    home = exchange.peek(number)
    return TaskCancelled(text) if home is None else home.make_cancel(text)
