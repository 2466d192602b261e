"""Logs are read in batches that are neither too many nor too large, and the event loop goes on meanwhile."""

import asyncio

import pytest

from tasks_app.snapshot.log_page import PAGE_LINES
from tasks_app.streaming.log_reader import BATCH, LogReader
from tasks_app.streaming.watch import Viewer, Watch
from tests.support.caches import Controls
from tests.support.doubles import begin, read
from tests.support.viewers import CountingViewer


def find_told(viewer: CountingViewer) -> list[str]:
    """Return the tasks of which a viewer was told that there is news."""
    return [task_id for task_id, _ in viewer.seen]


@pytest.fixture
def follow(flusher):
    """Make a task that has logged so many lines, and have its log followed."""

    def follow(reader: LogReader, viewer: Viewer, task_id: str, lines: int) -> Watch:
        job = begin(flusher, task_id)
        for number in range(lines):
            job.progress.log(number)
        flusher.flush()
        watch = Watch(task_id)
        watch.apply(read(task_id).to_json(), monotonic=0)
        reader.follow(viewer, watch)
        return watch

    return follow


def count_pages(cache: Controls) -> list[int]:
    return [len(keys) for keys in cache.take_reads()]


async def test_nothing_new_is_no_read(cache, follow):
    reader, viewer = LogReader(), CountingViewer()
    follow(reader, viewer, "t1", 0)
    cache.take_reads()
    await reader.read()
    assert (cache.take_reads(), viewer.seen) == ([], [])


async def test_what_was_read_is_not_read_again(cache, follow):
    reader, viewer = LogReader(), CountingViewer()
    follow(reader, viewer, "t1", 1)
    cache.take_reads()
    await reader.read()
    await reader.read()
    assert (count_pages(cache), find_told(viewer)) == ([1], ["t1"])


async def test_long_logs_are_read_in_several_batches(cache, follow):
    reader, viewer = LogReader(), CountingViewer()
    pages = BATCH // 5
    watches = [follow(reader, viewer, f"t{number}", pages * PAGE_LINES) for number in range(12)]
    cache.take_reads()
    await reader.read()
    assert count_pages(cache) == [BATCH, BATCH, 2 * pages]
    assert find_told(viewer) == [watch.task_id for watch in watches]


async def test_log_that_is_longer_than_a_batch_is_read(cache, follow, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "LOG_LINES": 10_000, "LOG_BYTES": 2_000_000}
    reader, viewer = LogReader(), CountingViewer()
    watch = follow(reader, viewer, "t1", (BATCH + 1) * PAGE_LINES)
    cache.take_reads()
    await reader.read()
    assert (count_pages(cache), watch.log.end) == ([BATCH + 1], watch.logged)


async def test_event_loop_goes_on_between_two_batches(follow):
    reader, viewer = LogReader(), CountingViewer()
    for number in range(2 * BATCH):
        follow(reader, viewer, f"t{number}", 1)
    reading, told = asyncio.ensure_future(reader.read()), set()
    while not reading.done():
        await asyncio.sleep(0)
        told.add(len(viewer.seen))
    assert told & set(range(1, 2 * BATCH))
    assert len(viewer.seen) == 2 * BATCH


async def test_log_that_is_left_while_it_is_read_is_told_to_nobody(cache, follow):
    reader, viewer = LogReader(), CountingViewer()
    watch = follow(reader, viewer, "t1", 1)
    cache.after_read = lambda: reader.leave(viewer, watch)
    await reader.read()
    assert (viewer.seen, watch.log) == ([], None)
