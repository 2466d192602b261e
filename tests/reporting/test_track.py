"""`progress.track()`: loops that report their steps."""

import asyncio
import gc
import threading

import pytest

from tasks_app import TaskCancelled
from tasks_app.reporting.draft import Draft
from tests.support.doubles import agenerate, make_progress, take


def test_track_yields_the_items(job):
    assert list(job.progress.track(["a", "b"])) == ["a", "b"]


def test_track_takes_the_total_from_what_has_a_length(job):
    for _ in job.progress.track(["a", "b", "c", "d"], status="Reading", unit="rows"):
        pass
    snapshot = take(job)
    assert (snapshot.current, snapshot.total, snapshot.status, snapshot.unit) == (4, 4, "Reading", "rows")


def test_track_counts_a_step_when_it_is_done(job):
    seen = [take(job).current for _ in job.progress.track(range(3))]
    assert seen == [0, 1, 2]


def test_track_of_a_generator_has_no_total(job):
    for _ in job.progress.track(iter(range(3))):
        assert take(job).percent is None
    assert (take(job).current, take(job).total) == (3, None)


class Sequential:
    """Iterable by its indices alone, as some results of old libraries are."""

    def __getitem__(self, index):
        return ["a", "b"][index]


class Endless:
    """Says that it has a length, and has none to tell."""

    def __init__(self, error):
        self.error = error

    def __iter__(self):
        return iter(range(3))

    def __len__(self):
        raise self.error


def test_track_of_what_is_iterable_by_its_indices(job):
    assert list(job.progress.track(Sequential())) == ["a", "b"]
    assert (take(job).current, take(job).total) == (2, None)


@pytest.mark.parametrize("error", [TypeError("no len()"), NotImplementedError(), AttributeError("__len__")])
def test_track_of_what_can_not_tell_its_length_has_no_total(job, error):
    seen = [(item, take(job).total) for item in job.progress.track(Endless(error))]
    assert seen == [(0, None), (1, None), (2, None)]


def test_track_of_what_is_longer_than_a_length_can_be_has_no_total(job):
    assert next(iter(job.progress.track(range(2**70)))) == 0
    assert take(job).total is None


def test_track_of_a_track_without_length_has_no_total(job):
    assert list(job.progress.track(job.progress.track(iter("ab")))) == ["a", "b"]
    assert (take(job).current, take(job).total) == (2, None)


@pytest.mark.parametrize("items", [["a", "b"], [], {"a": 1}, {"a"}, range(3), "ab"])
def test_track_has_the_length_and_the_truth_of_its_items(job, items):
    tracked = job.progress.track(items)
    assert (len(tracked), bool(tracked), "a" in tracked) == (len(items), bool(items), "a" in tuple(items))


def test_track_gives_what_its_items_give(job):
    tracked = job.progress.track(["a", "b"])
    assert (tracked[1], tracked[:1], tracked.index("b"), list(reversed(tracked))) == ("b", ["a"], 1, ["b", "a"])
    assert list(job.progress.track({"a": 1}).items()) == [("a", 1)]


@pytest.mark.parametrize(
    ("ask", "items"),
    [(len, iter("ab")), (next, ["a"]), (lambda tracked: tracked[0], {"a"}), (lambda tracked: tracked.nothing, ["a"])],
)
def test_track_refuses_what_its_items_refuse(job, ask, items):
    with pytest.raises((TypeError, AttributeError)) as expected:
        ask(items)
    with pytest.raises(expected.type) as found:
        ask(job.progress.track(items))
    assert str(found.value) == str(expected.value)


def test_reversed_track_of_a_dict_is_that_of_the_dict(job):
    assert list(reversed(job.progress.track({"a": 1, "b": 2}))) == ["b", "a"]


def test_track_of_an_open_file_closes_it_after_with_and_counts_its_lines(job, tmp_path):
    path = tmp_path / "rows"
    path.write_text("a\nb\n")
    with job.progress.track(path.open()) as lines:
        assert [(line, take(job).current) for line in lines] == [("a\n", 0), ("b\n", 1)]
    assert lines.closed


class Context(list):
    """Gives something else than itself to `with`, as the results of some databases do."""

    def __enter__(self):
        return "given"

    def __exit__(self, *error):
        pass


class AsyncContext:
    has_exited = False

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        self.has_exited = True

    def __aiter__(self):
        return agenerate(2)


def test_with_gives_what_the_items_give_in_it(job):
    with job.progress.track(Context()) as entered:
        assert entered == "given"


async def test_async_with_gives_a_track_of_what_gives_itself(job):
    items = AsyncContext()
    async with job.progress.track(items) as tracked:
        assert [(item, take(job).current) async for item in tracked] == [(0, 0), (1, 1)]
    assert items.has_exited


def test_with_takes_no_track_of_items_that_it_does_not_take(job):
    with pytest.raises(TypeError, match="list' object does not support the context manager protocol"):
        job.progress.track(["a"]).__enter__()


def test_next_of_a_track_counts_and_a_loop_goes_on_from_there(job):
    tracked = job.progress.track(iter("abc"), total=3)
    assert next(tracked) == "a"
    assert [(item, take(job).current) for item in tracked] == [("b", 1), ("c", 2)]
    assert next(tracked, None) is None
    assert take(job).current == 3
    assert not job.is_sampled


def test_track_of_an_iterator_that_was_left_by_break_is_over(job):
    for _ in job.progress.track(iter(range(10))):
        break
    assert take(job).current == 0
    assert not job.is_sampled


async def test_anext_of_a_track_counts_and_a_loop_goes_on_from_there(job):
    tracked = job.progress.track(agenerate(3), total=3)
    assert await anext(tracked) == 0
    assert [(item, take(job).current) async for item in tracked] == [(1, 1), (2, 2)]
    assert take(job).current == 3


async def test_anext_of_what_is_no_async_iterator_is_refused(job):
    with pytest.raises(TypeError, match="'Both' object is not an async iterator"):
        await anext(job.progress.track(Both()))


def test_track_takes_the_total_that_is_given(job):
    for _ in job.progress.track(iter(range(3)), total=6):
        pass
    assert take(job).progress == 50


def test_total_that_is_given_wins_over_the_length(job):
    for _ in job.progress.track([1, 2], total=8):
        pass
    assert take(job).progress == 25


def test_track_of_nothing_yields_nothing(job):
    assert list(job.progress.track([])) == []
    assert (take(job).total, take(job).percent) == (0, None)


async def test_track_of_an_async_iterable(job):
    seen = [(number, take(job).current) async for number in job.progress.track(agenerate(3), total=4)]
    assert seen == [(0, 0), (1, 1), (2, 2)]
    assert take(job).progress == 75


class Both:
    """Iterable in both ways, as some database cursors are."""

    def __iter__(self):
        return iter(["sync"])

    async def __aiter__(self):
        yield "async"

    def __len__(self):
        return 2


def test_for_uses_the_sync_protocol_where_there_are_both(job):
    assert list(job.progress.track(Both())) == ["sync"]
    assert take(job).total == 2


async def test_async_for_uses_the_async_protocol_where_there_are_both(job):
    assert [item async for item in job.progress.track(Both(), total=2)] == ["async"]


def test_for_over_an_async_iterable_names_async_for(job):
    with pytest.raises(TypeError, match="is not iterable; use 'async for'"):
        list(job.progress.track(agenerate(1)))


async def test_async_for_over_a_plain_iterable_names_for(job):
    with pytest.raises(TypeError, match=r"\[1\] is not an async iterable; use 'for'"):
        [item async for item in job.progress.track([1])]


@pytest.mark.parametrize("value", [None, 7, object])
def test_track_refuses_at_once_what_can_not_be_iterated(job, value):
    with pytest.raises(TypeError) as caught:
        job.progress.track(value)
    assert str(caught.value) == f"track() takes an iterable or an async iterable, not {value!r}"


@pytest.mark.parametrize(("total", "error"), [("9", TypeError), (float("nan"), ValueError)])
def test_track_refuses_a_total_that_is_no_number(job, total, error):
    with pytest.raises(error, match="total must be"):
        job.progress.track([], total=total)


def test_inner_track_leaves_the_progress_to_the_outer(job):
    for _ in job.progress.track(range(4)):
        for _ in job.progress.track(range(100), status="Inner"):
            assert take(job).total == 4
    snapshot = take(job)
    assert (snapshot.current, snapshot.total, snapshot.status) == (4, 4, "Running")


def test_inner_track_checks_for_a_cancel(job):
    done = []

    def work() -> None:
        for _ in job.progress.track(range(4)):
            for number in job.progress.track(range(100)):
                done.append(number)
                if number == 2:
                    job.request_cancel()

    with pytest.raises(TaskCancelled):
        work()
    assert done == [0, 1, 2]


def test_track_after_track_counts_anew(job):
    list(job.progress.track(range(4)))
    for _ in job.progress.track(range(8)):
        pass
    assert (take(job).current, take(job).total) == (8, 8)


def test_track_checks_for_a_cancel_at_every_step(job):
    done = []

    def work() -> None:
        for number in job.progress.track(range(10)):
            done.append(number)
            job.request_cancel()

    with pytest.raises(TaskCancelled, match="task t1 was asked to stop"):
        work()
    assert done == [0]


async def test_async_track_checks_for_a_cancel_at_every_step(job):
    done = []

    async def work() -> None:
        async for number in job.progress.track(agenerate(10)):
            done.append(number)
            job.request_cancel()

    with pytest.raises(TaskCancelled):
        await work()
    assert done == [0]


def test_track_that_was_left_by_break_is_over(job):
    for number in job.progress.track(range(10)):
        if number == 3:
            break
    assert take(job).current == 3
    assert not job.is_sampled
    list(job.progress.track(range(5)))
    assert take(job).total == 5


async def test_async_track_that_ended_stays_where_it_was(job):
    loop = aiter(job.progress.track(agenerate(2)))
    assert [item async for item in loop] == [0, 1]
    with pytest.raises(StopAsyncIteration):
        await anext(loop)
    assert take(job).current == 2


async def test_async_track_that_is_cancelled_while_it_waits_is_over(job):
    waits = asyncio.Event()

    async def generate():
        yield 1
        waits.set()
        await asyncio.Event().wait()

    async def work() -> None:
        async for _ in job.progress.track(generate()):
            pass

    coroutine = asyncio.create_task(work())
    await waits.wait()
    coroutine.cancel()
    with pytest.raises(asyncio.CancelledError):
        await coroutine
    assert take(job).current == 1
    assert not job.is_sampled


async def test_async_track_that_was_left_by_break_is_over(job):
    async for number in job.progress.track(agenerate(10), total=10):
        if number == 3:
            break
    list(job.progress.track(range(5)))
    assert (take(job).current, take(job).total) == (5, 5)


def test_track_that_was_left_by_an_exception_is_over(job):
    def work() -> None:
        for number in job.progress.track(range(10)):
            if number == 3:
                raise ValueError(number)

    with pytest.raises(ValueError, match="3"):
        work()
    assert take(job).current == 3
    assert not job.is_sampled


def test_exception_of_the_iterable_goes_on_to_the_job(job):
    def generate():
        yield 1
        raise OSError("the source is gone")

    with pytest.raises(OSError, match="the source is gone"):
        list(job.progress.track(generate()))
    assert take(job).current == 1
    assert not job.is_sampled


async def test_exception_of_an_async_iterable_goes_on_to_the_job(job):
    with pytest.raises(OSError, match="gone"):
        [item async for item in job.progress.track(agenerate(2, error=OSError("gone")))]
    assert take(job).current == 2
    assert not job.is_sampled


def test_track_that_is_collected_while_the_job_reports_does_not_block_it():
    """The garbage collector may end a loop in any thread, also in one that holds the lock of the task."""
    draft = Draft("t1", {}, wake=lambda: None)
    progress, _ = make_progress(draft)
    loop = iter(progress.track(range(10)))
    next(loop)
    cycle = [loop]
    cycle.append(cycle)
    del loop, cycle

    def collect() -> None:
        with draft.lock:
            gc.collect()

    worker = threading.Thread(target=collect, daemon=True)
    worker.start()
    worker.join(5)
    assert not worker.is_alive()
    assert (draft.is_tracking, draft.is_dirty) == (False, True)


def test_total_of_an_earlier_loop_says_nothing_of_one_without_length(job):
    for _ in job.progress.track([1, 2, 3]):
        pass
    for _ in job.progress.track(iter(range(50))):
        pass
    assert (take(job).current, take(job).total) == (50, None)


def test_total_that_was_set_before_a_loop_without_length_holds(job):
    job.progress.update(total=50)
    for _ in job.progress.track(iter(range(5))):
        pass
    assert (take(job).current, take(job).total) == (5, 50)


def test_inner_track_fills_the_share_of_its_outer_step(job):
    seen = []
    for _ in job.progress.track(range(2)):
        for step in job.progress.track(range(4)):
            if step == 2:
                seen.append(take(job).percent)
    assert seen == [25, 75]


def test_innermost_track_fills_the_share_of_the_step_around_it(job):
    for _ in job.progress.track(range(2)):
        for _ in job.progress.track(range(2)):
            for step in job.progress.track(range(2)):
                if step == 1:
                    assert take(job).percent == 12.5
                    return


def test_inner_track_without_total_fills_nothing(job):
    for _ in job.progress.track(range(2)):
        for _ in job.progress.track(iter("ab")):
            assert take(job).percent == 0
        break


async def test_tracks_of_coroutines_add_up(job):
    async def work(steps: int) -> None:
        async for _ in job.progress.track(agenerate(steps), total=steps):
            await asyncio.sleep(0)

    await asyncio.gather(work(10), work(20), work(30))
    assert (take(job).current, take(job).total) == (60, 60)


async def test_tracks_of_coroutines_in_a_step_share_it(job):
    middle = asyncio.Barrier(3)

    async def work() -> None:
        for step in job.progress.track(range(4)):
            if step == 2:
                await middle.wait()
                await middle.wait()

    for _ in job.progress.track(range(2)):
        coroutines = [asyncio.create_task(work()) for _ in range(2)]
        await middle.wait()
        assert (take(job).current, take(job).percent) == (0, 25)
        await middle.wait()
        await asyncio.gather(*coroutines)
        break


async def test_tracks_of_threads_of_a_coroutine_add_up(job):
    both = threading.Barrier(2, timeout=120)

    def work(steps: int) -> None:
        for step in job.progress.track(range(steps)):
            if step == 0:
                both.wait()

    await asyncio.gather(asyncio.to_thread(work, 10), asyncio.to_thread(work, 20))
    assert (take(job).current, take(job).total) == (30, 30)


def test_track_after_those_of_threads_counts_from_0(job):
    for _ in range(2):
        loops = [job.progress.track(range(5)) for _ in range(2)]
        list(zip(*loops, strict=True))
    list(job.progress.track(range(3)))
    assert (take(job).current, take(job).total) == (3, 3)
