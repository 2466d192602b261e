"""The places that clients take, one for each stream: each is given back however the stream ends."""

import gc
import threading

from tasks_app.streaming.places import Places
from tests.support.waiting import DEADLINE


def test_place_is_refused_above_the_limit_to_that_client_alone():
    places = Places()
    taken = [places.take("a", 2) for _ in range(3)]
    assert [place is None for place in taken] == [False, False, True]
    assert places.take("b", 2) is not None


def test_without_a_limit_none_is_refused():
    places = Places()
    taken = [places.take("a", None) for _ in range(100)]
    assert (None in taken, places.count("a")) == (False, 100)


def test_place_is_given_back_once():
    places = Places()
    first, second = places.take("a", 2), places.take("a", 2)
    assert first is not None
    first.give_back()
    first.give_back()
    assert places.count("a") == 1
    assert second is not None


def test_place_that_nobody_holds_is_given_back():
    places = Places()
    place = places.take("a", 1)
    del place
    gc.collect()
    assert (places.count("a"), places._counts) == (0, {})


def test_places_of_many_threads_are_counted_exactly():
    places = Places()

    def take_and_give_back():
        for _ in range(1000):
            place = places.take("a", None)
            assert place is not None
            place.give_back()

    threads = [threading.Thread(target=take_and_give_back) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert places.count("a") == 0


def test_place_that_is_collected_while_another_is_taken_is_given_back():
    """A garbage collection may run anywhere."""
    places = Places()
    held = [places.take("a", None)]

    class Name(str):
        def __hash__(self) -> int:
            held.clear()
            return super().__hash__()

    thread = threading.Thread(target=lambda: places.take(Name("b"), 1), daemon=True)
    thread.start()
    thread.join(DEADLINE)
    assert (thread.is_alive(), places.count("a")) == (False, 0)
