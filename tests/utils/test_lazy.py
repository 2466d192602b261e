"""What is made from the settings is made once, and never of settings that are no longer in force."""

import gc
import os
import threading

from django.conf import settings
from django.test import override_settings

from tasks_app.utils.lazy import PerProcess, call_after_fork, per_process


def test_it_is_made_once():
    made = []

    @per_process()
    def make() -> object:
        made.append(object())
        return made[-1]

    assert make() is make()
    assert len(made) == 1


def test_it_is_made_anew_after_it_was_cleared():
    make = per_process()(object)
    before = make()
    make.cache_clear()
    assert make() is not before


def test_it_has_the_name_and_the_docstring_of_the_function():
    def make() -> int:
        """Return one."""
        return 1

    assert (per_process()(make).__name__, per_process()(make).__doc__) == ("make", "Return one.")


def test_thread_that_is_making_it_while_it_is_cleared_leaves_nothing_old_behind():
    setting, is_making, may_go_on = ["old"], threading.Event(), threading.Event()

    @per_process()
    def make() -> str:
        value = setting[0]
        is_making.set()
        may_go_on.wait(10)
        return value

    maker = threading.Thread(target=make)
    maker.start()
    is_making.wait(10)
    setting[0] = "new"
    clearer = threading.Thread(target=make.cache_clear)
    clearer.start()
    may_go_on.set()
    for thread in (maker, clearer):
        thread.join(10)
    assert make() == "new"


def test_forked_child_makes_its_own_even_if_a_thread_was_making_it():
    is_making, may_go_on = threading.Event(), threading.Event()

    @per_process()
    def make() -> int:
        if threading.current_thread() is not threading.main_thread():
            is_making.set()
            may_go_on.wait(10)
        return os.getpid()

    maker = threading.Thread(target=make)
    maker.start()
    is_making.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(0 if make() == os.getpid() else 1)
    _, status = os.waitpid(child, 0)
    may_go_on.set()
    maker.join(10)
    assert os.waitstatus_to_exitcode(status) == 0


def test_it_is_made_again_after_a_setting_that_it_names_has_changed():
    make, other = per_process("CACHES")(object), per_process("TASKS")(object)
    before = make(), other()
    with override_settings(CACHES=settings.CACHES):
        assert (make() is before[0], other() is before[1]) == (False, True)


def test_value_is_cleared_after_those_that_it_is_made_of():
    cleared = []

    class Noted(PerProcess[object]):
        def cache_clear(self) -> None:
            cleared.append(self)
            super().cache_clear()

    made = [Noted(object, ("CACHES",)) for _ in range(50)]
    with override_settings(CACHES=settings.CACHES):
        assert cleared == made


def test_method_is_called_in_a_forked_child_as_long_as_its_object_lives():
    class Counter:
        count = 0

        def add(self) -> None:
            Counter.count += 1

    living, gone = Counter(), Counter()
    call_after_fork(living.add)
    call_after_fork(gone.add)
    del gone
    gc.collect()
    child = os.fork()
    if child == 0:
        os._exit(Counter.count)
    _, status = os.waitpid(child, 0)
    assert (os.waitstatus_to_exitcode(status), Counter.count) == (1, 0)
