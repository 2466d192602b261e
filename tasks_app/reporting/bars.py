"""The packages whose bars can be captured.

A bar that is made inside a capture gets a class derived from its own. For that alone the packages' `__init__` is
wrapped, once in a process; bars made elsewhere stay what they are.
"""

import logging
from collections.abc import Callable

from ..utils.lazy import per_process
from .rich_bars import hook_rich
from .tqdm_bars import hook_tqdm

logger = logging.getLogger("tasks_app")


@per_process()
def hook_bars() -> bool:
    """Have the bars of the packages that are installed ask for a capture when they are made; return True."""
    _hook("tqdm", hook_tqdm)
    _hook("rich", hook_rich)
    return True


def _hook(package: str, hook: Callable[[], None]) -> None:
    """Hook one package, or say in the log why its bars can't be captured."""
    if package in _hooked:  # in the process that forked this one
        return
    try:
        hook()
    except (AttributeError, ImportError, TypeError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == package:  # it is not installed
            return
        logger.warning("the bars of %s can't be captured, since it is not the one that is known: %s", package, error)
    else:
        _hooked.add(package)


_hooked: set[str] = set()
