"""Classes of other packages' bars that are captured, derived from theirs."""

import logging
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

from .capture import Capture, find_capture

logger = logging.getLogger("tasks_app")


def wrap_init(kind: type, make: Callable[[Any, Capture, Callable[..., None], tuple[Any, ...], Any], None]) -> None:
    """Have `make` initialize the objects of a class that are made inside a capture."""
    plain: Callable[..., None] = kind.__init__  # type: ignore[misc]

    @wraps(plain)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        capture = find_capture()
        if capture is None:
            plain(self, *args, **kwargs)
        else:
            make(self, capture, plain, args, kwargs)

    kind.__init__ = init  # type: ignore[misc]


def convert(item: Any, captured: type) -> bool:
    """Give an object the class that is captured; return False if its own class can't be derived from."""
    try:
        item.__class__ = _derive(type(item), captured)  # type: ignore[arg-type]  # of what is hashable
    except Exception as error:  # a class may refuse to be derived from by any
        logger.warning("%s can't be captured: %s: %s", type(item).__qualname__, type(error).__name__, error)
        return False
    return True


@lru_cache(maxsize=64)
def _derive(kind: type, captured: type) -> type:
    """Return a class that is both; `captured` comes right before what it is derived from, `close` before all."""
    bases = (captured,) if kind in captured.__mro__ else (kind, captured)
    plain_close = getattr(kind, "close", None)
    namespace: dict[str, Any] = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
    }

    def close(self: Any) -> None:
        if self.tasks_app_bar is not None:
            self.tasks_app_bar.end()
        plain_close(self)  # type: ignore[misc]

    if plain_close is not None:
        namespace["close"] = close
    return type(kind.__name__, bases, namespace)
