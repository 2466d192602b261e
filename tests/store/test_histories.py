"""The durations of earlier runs, over each kind of cache."""

import pytest

from tasks_app.exceptions import StoreUnavailable
from tasks_app.snapshot.history import History, Run
from tasks_app.store.histories import find_histories, keep_histories
from tasks_app.store.keys import make_history_key
from tasks_app.store.store import get_store
from tests.support.caches import REFUSING_CACHES

HISTORY = History((Run(1.5), Run(2.25, 10)))

#: Names are what a site calls its tasks.
NAME = "Import of\n 100 % 🎉 \ud800" + "x" * 180


def test_histories_are_found_by_name(store):
    keep_histories({NAME: HISTORY, "other": History((Run(7.0),))})
    assert find_histories([NAME, "other", "unknown"]) == {
        NAME: HISTORY,
        "other": History((Run(7.0),)),
        "unknown": History(),
    }


def test_what_others_left_under_the_key_is_no_history(store):
    get_store().cache.set(make_history_key("job"), "what is this", 60)
    assert find_histories(["job"]) == {"job": History()}


def test_refusal_of_the_cache_is_an_error(settings):
    settings.CACHES = REFUSING_CACHES
    with pytest.raises(StoreUnavailable, match="durations"):
        keep_histories({"job": HISTORY})
