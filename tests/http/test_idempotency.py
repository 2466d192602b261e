"""The keys that make a repeat answer the same; over HTTP they are tested with `POST /start-task`."""

import pytest
from django.test import override_settings

from tasks_app.exceptions import StoreUnavailable
from tasks_app.http.idempotency import claim_key, fulfil_key, release_key
from tests.support.caches import REFUSING_CACHES, CacheDown
from tests.support.doubles import controlled_cache, recorded_cache


@pytest.mark.usefixtures("store")
def test_first_claim_holds_the_key():
    assert claim_key("key", "first") is None
    assert claim_key("key", "second") == "first"


@pytest.mark.usefixtures("store")
def test_fulfilled_claim_answers_its_lasting_text():
    claim_key("key", "first")
    fulfil_key("key", "lasting")
    assert claim_key("key", "second") == "lasting"


@pytest.mark.usefixtures("store")
def test_released_claim_is_free_again():
    claim_key("key", "first")
    release_key("key")
    assert claim_key("key", "second") is None


@pytest.mark.parametrize(
    "name", ["x" * 5000, "with space\n", "é\ud7ff", ""], ids=["long", "space", "unicode", "empty"]
)
def test_claim_may_have_any_name(name):
    claim_key(name, "first")
    assert claim_key(name, "second") == "first"


def test_claim_blocks_for_a_minute_and_holds_for_a_day():
    with recorded_cache() as calls:
        claim_key("key", "first")
        fulfil_key("key", "lasting")
        assert [timeout for _, _, timeout in calls] == [60, 86400]


@pytest.mark.parametrize(
    "use",
    [lambda: claim_key("key", "text"), lambda: fulfil_key("key", "text"), lambda: release_key("key")],
    ids=["claim", "fulfil", "release"],
)
def test_what_the_cache_raises_passes_through(use):
    with controlled_cache() as controls:
        controls.break_down()
        with pytest.raises(CacheDown):
            use()


@override_settings(CACHES=REFUSING_CACHES)
def test_claim_that_can_not_be_stored_nor_read_is_an_error():
    with pytest.raises(StoreUnavailable):
        claim_key("key", "text")
