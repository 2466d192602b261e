"""Whether the server of this process has been told to stop."""

import signal


def is_server_stopping() -> bool:
    """Has uvicorn been told to stop? It then waits for all that is open, for ever, and refuses new requests.

    Other servers cut off their connections by themselves. Of this one the handler of SIGTERM, which stands for all
    signals that stop it, is a method of the object that says so: https://www.uvicorn.org/server-behavior/
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(server, "should_exit", False) is True
