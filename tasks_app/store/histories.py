"""The stored durations of the latest runs of tasks, by the name of the task."""

from collections.abc import Iterable, Mapping

from ..exceptions import StoreUnavailable
from ..snapshot import History
from .keys import make_history_key
from .store import get_store

#: Seconds for which they are kept after the last run: some tasks run once a week.
TIME_TO_LIVE = 30 * 24 * 3600


def find_histories(tasks: Iterable[str]) -> dict[str, History]:
    """Return the history of each of these tasks, with one `get_many`."""
    keys = {make_history_key(task): task for task in tasks}
    found = get_store().cache.get_many(keys)
    return {task: History.from_note(found.get(key)) for key, task in keys.items()}


def keep_histories(histories: Mapping[str, History]) -> None:
    """Store histories by the names of their tasks, with one `set_many`.

    Raises:
        StoreUnavailable: the cache refused some.
        Exception: any other error of the cache.
    """
    notes = {make_history_key(task): history.to_note() for task, history in histories.items()}
    if refused := get_store().cache.set_many(notes, TIME_TO_LIVE):
        raise StoreUnavailable(f"the cache did not store {sorted(refused)!r}")
