"""The brake of a stream: while its reader is behind, its caller is given nothing, and what changes meanwhile waits."""

import asyncio


class Brake:
    """A stream that can be held. It costs the frames of others nothing, and a stream no memory until it is used."""

    #: The list of headers of the request that this stream answers, by which the request is found in the server.
    request_headers: object = None
    _waiter: "asyncio.Future[bytes] | None"
    _held: "asyncio.Future[bytes] | None" = None

    @property
    def is_held(self) -> bool:
        """Whether the stream is held."""
        return self._held is not None

    def hold(self) -> None:
        """Give the caller nothing until `go_on`; without effect while no caller waits."""
        if self._held is None and self._waiter is not None and not self._waiter.done():
            self._held, self._waiter = self._waiter, None

    def go_on(self) -> None:
        """Give the caller what there is."""
        held, self._held = self._held, None
        if self._waiter is None:
            self._waiter = held
        self._step()

    def _step(self) -> None:
        raise NotImplementedError
