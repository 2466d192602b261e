"""The names of tasks that metrics tell apart: as many as a time series database bears. Pure."""

#: The most names in one process.
MAX_NAMES = 100

#: The name of all tasks beyond these.
OTHERS = "(others)"


class Names:
    """The names of tasks seen so far.

    A name in code is one of few, but a site may make names up, as `task_run(f"import {pk}")` does. Each would be some
    dozens of time series, which are never dropped.
    """

    def __init__(self, limit: int = MAX_NAMES) -> None:
        self._limit = limit
        self._known: dict[str, None] = {}  # for a dict, each operation is atomic

    def bound(self, name: str) -> str:
        """Return the name, or OTHERS if there are too many."""
        if name in self._known:
            return name
        if len(self._known) >= self._limit:
            return OTHERS
        self._known[name] = None
        return name
