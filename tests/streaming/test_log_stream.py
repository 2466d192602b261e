"""Streams with the log: lines before the snapshots they belong to, and none lost or told twice, whoever comes back."""

import asyncio
import gc
import json
from collections.abc import Iterable

import pytest

from tasks_app.reporting.reporter import Reporter
from tasks_app.store.store import get_store
from tasks_app.streaming.hub import get_hub
from tasks_app.streaming.log_places import Place, has_told_all, hash_tasks, parse_place, parse_places
from tasks_app.streaming.log_reader import BATCH
from tasks_app.streaming.stream import CHUNK_BYTES, Stream
from tests.support.caches import Controls
from tests.support.doubles import HandFlusher, begin
from tests.support.viewers import decode, has_no_viewers, read_events, read_next, read_rest, until
from tests.support.wire import Event

#: So long that no sweep falls into a test.
NEVER = 3600


@pytest.fixture(autouse=True)
async def _leaves_nothing():
    """Whatever a test does to its streams, the hub forgets them."""
    hub = get_hub()
    yield
    gc.collect()
    await until(lambda: has_no_viewers(hub), "the hub has no viewers left")


@pytest.fixture
def cache(cache, settings) -> Controls:
    """The same, which the hub reads only when it is told to."""
    settings.TASKS_APP = {**settings.TASKS_APP, "SWEEP_INTERVAL": NEVER}
    return cache


async def open_one(task_id: str = "t1", last_event_id: str | None = None) -> Stream:
    stream = await Stream.open([task_id], with_log=True)
    stream.show_one(last_event_id)
    return stream


async def open_many(*task_ids: str, last_event_id: str | None = None, hidden: Iterable[str] = ()) -> Stream:
    stream = await Stream.open(task_ids, with_log=True)
    stream.show_many(
        [watch for watch in stream.watches if watch.view is None or watch.task_id in hidden], last_event_id
    )
    return stream


async def has_read(stream: Stream, logged: int) -> None:
    """Wait until the hub has read the log of the first task up to there."""
    await until(lambda: stream.watches[0].log and stream.watches[0].log.end == logged, f"{logged} lines were read")


async def let_run() -> None:
    """Let everything that is ready in the loop run."""
    for _ in range(10):
        await asyncio.sleep(0)


def log_numbers(job: Reporter, count: int, *, start: int = 0) -> None:
    for number in range(start, start + count):
        job.progress.log(number)


def tell(event: Event) -> object:
    """Return an event in short: the texts of a log, or the state, or the name."""
    if event.type == "log":
        return [line["text"] for line in event.json()["lines"]]
    return event.json()["state"] if event.type == "message" else event.type


def find_lines(events: Iterable[Event]) -> list[str]:
    """Return the text of every line."""
    return [line["text"] for event in events if event.type == "log" for line in event.json()["lines"]]


# One task


async def test_lines_come_before_the_snapshot_of_now(job, flusher):
    job.progress.log("one\ntwo")
    flusher.flush()
    stream = await open_one()
    log, snapshot = decode(await read_next(stream))
    stream.close()
    assert [(line["level"], line["text"]) for line in log.json()["lines"]] == [("info", "one"), ("info", "two")]
    assert (log.json()["task_id"], log.json()["offset"], set(log.json())) == ("t1", 0, {"task_id", "offset", "lines"})
    assert [(event.type, event.id) for event in (log, snapshot)] == [("log", ".2"), ("message", "2.2")]


async def test_frame_is_that_of_other_streams_but_for_its_id(job, flusher):
    job.progress.log("one")
    flusher.flush()
    plain, stream = await Stream.open(["t1"]), await open_one()
    plain.show_one(None)
    frame, frames = await read_next(plain), await read_next(stream)
    plain.close()
    stream.close()
    assert frame.partition(b"id: 2\n")[2] == frames.partition(b"id: 2.1\n")[2]


async def test_first_snapshot_of_a_task_that_logs_nothing_comes_at_once(job, flusher):
    flusher.flush()
    stream = await open_one()
    (event,) = decode(await read_next(stream))
    stream.close()
    assert (event.type, event.id) == ("message", "2.0")


async def test_lines_alone_are_a_log_event_and_no_snapshot(job, flusher):
    flusher.flush()
    stream = await open_one()
    await read_next(stream)
    job.progress.log("one", "WARNING")
    flusher.flush()
    (event,) = decode(await read_next(stream))
    stream.close()
    assert (event.type, event.id, event.json()["lines"][0]["level"]) == ("log", "2.1", "warning")


async def test_lines_alone_tell_streams_without_log_nothing(job, flusher):
    flusher.flush()
    plain, stream = await Stream.open(["t1"]), await open_one()
    plain.show_one(None)
    await read_next(plain)
    await read_next(stream)
    reading, view = asyncio.ensure_future(anext(plain)), plain.watches[0].view
    job.progress.log("one")
    flusher.flush()
    await read_next(stream)
    await let_run()
    assert (reading.done(), plain.watches[0].view) == (False, view)
    job.progress.update(current=1, total=2)
    flusher.flush()
    assert await reading is plain.watches[0].view.frame
    plain.close()
    stream.close()


async def test_last_lines_come_before_the_terminal_snapshot_and_the_end(job, flusher):
    flusher.flush()
    stream = await open_one()
    first = await read_next(stream)
    job.progress.log("last words")
    job.succeed({"rows": 3})
    flusher.flush()
    events = decode(first, await read_rest(stream))
    assert [tell(event) for event in events] == ["running", ["last words"], "succeeded", "end"]
    assert [event.id for event in events] == ["2.0", "2.1", "3.1", "3.1"]
    assert events[-1].data == events[-2].data


async def test_stream_of_an_ended_task_is_its_log_its_snapshot_and_the_end(job, flusher):
    log_numbers(job, 120)
    job.fail(RuntimeError("no"))
    flusher.flush()
    events = await read_events(await open_one())
    assert find_lines(events) == [str(number) for number in range(120)]
    assert [event.type for event in events][-2:] == ["message", "end"]


async def test_slow_reader_gets_every_line_and_the_latest_snapshot(job, flusher):
    flusher.flush()
    stream = await open_one()
    await read_next(stream)
    for number in range(10):
        job.progress.log(number)
        job.progress.update(current=number, total=10)
        flusher.flush()
        await has_read(stream, number + 1)
    events = decode(await read_next(stream))
    stream.close()
    assert find_lines(events) == list("0123456789")
    assert [event.json()["progress"] for event in events if event.type == "message"] == [90]


async def test_reader_that_is_slower_than_the_log_gets_what_is_kept(job, flusher, time, settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "LOG_LINES": 20}
    job = begin(flusher, "t2")
    flusher.flush()
    stream = await open_one("t2")
    await read_next(stream)
    for start in range(0, 300, 10):
        log_numbers(job, 10, start=start)
        flusher.flush()
        time.move(2)
    await has_read(stream, 300)
    events = decode(await read_next(stream))
    stream.close()
    assert find_lines(events) == [str(number) for number in range(280, 300)]
    assert events[0].json()["offset"] == 280


async def test_long_log_comes_piece_by_piece(job, flusher):
    for _ in range(500):
        job.progress.log("x" * 1000)
    job.succeed()
    flusher.flush()
    stream = await open_one()
    await read_next(stream)
    chunks = [chunk async for chunk in stream]
    assert max(map(len, chunks)) < 2 * CHUNK_BYTES
    assert len(chunks) == 3
    assert decode(*chunks)[-1].type == "end"


async def test_log_that_is_looked_at_already_is_told_to_one_who_joins(job, flusher):
    job.progress.log("one")
    flusher.flush()
    first = await open_one()
    await read_next(first)
    second = await open_one()
    assert [tell(event) for event in decode(await read_next(second))] == [["one"], "running"]
    first.close()
    job.progress.log("two")
    flusher.flush()
    assert [tell(event) for event in decode(await read_next(second))] == [["two"]]
    second.close()


async def test_new_attempt_goes_on_with_the_log(job, flusher):
    job.progress.log("first attempt")
    flusher.flush()
    stream = await open_one()
    await read_next(stream)
    again = flusher.make_reporter(get_store().get("t1"))
    again.begin()
    flusher.add(again)
    again.progress.log("second attempt")
    flusher.flush()
    log, snapshot = decode(await read_next(stream))
    stream.close()
    assert (tell(log), log.json()["offset"], snapshot.json()["attempt"]) == (["second attempt"], 50, 2)


async def test_stalled_task_tells_its_log_no_second_time(job, flusher):
    job.progress.log("one")
    flusher.flush()
    stream = await open_one()
    await read_next(stream)
    stream.watches[0].stall()
    stream.notify(stream.watches[0])
    (event,) = decode(await read_next(stream))
    stream.close()
    assert (event.type, event.id) == ("message", "2-stalled.1")


# Reconnecting


@pytest.fixture
async def whole(flusher) -> list[Event]:
    """The events of a stream that was read from before the first line to the end, one change at a time."""
    job = begin(flusher)
    flusher.flush()
    stream = await open_one()
    chunks = [await read_next(stream)]
    for step in range(4):
        log_numbers(job, 20, start=step * 20)
        flusher.flush()
        chunks.append(await read_next(stream))
        job.progress.update(current=step, total=4)
        flusher.flush()
        chunks.append(await read_next(stream))
    job.progress.log("last")
    job.succeed()
    flusher.flush()
    events = decode(*chunks, await read_rest(stream))
    assert find_lines(events) == [*map(str, range(80)), "last"]
    return events


async def test_whoever_comes_back_after_any_event_misses_no_line_and_gets_none_twice(whole):
    for index, event in enumerate(whole):
        rest = await read_events(await open_one(last_event_id=event.id))
        assert find_lines(whole[: index + 1]) + find_lines(rest) == find_lines(whole), event.id
        assert rest[-1].type == "end"


async def test_snapshot_that_was_seen_is_not_told_again(whole):
    stream = await open_one(last_event_id=whole[-1].id)
    assert [event.type for event in await read_events(stream)] == ["end"]


@pytest.mark.parametrize(
    "last_event_id",
    [
        "",
        "x",
        "7",
        "7.",
        "7.x",
        "7.-1",
        "7. 3",
        "7.3.3",
        "7.1e3",
        "x.3",
        "7.\u0663",
        "7." + "9" * 5000,
        "end",
        "\n.3",
        "7.3\n",
    ],
)
async def test_id_that_names_no_line_is_told_all(whole, last_event_id):
    assert find_lines(await read_events(await open_one(last_event_id=last_event_id))) == find_lines(whole)


@pytest.mark.parametrize(
    ("event_id", "place"),
    [
        ("18.250", Place("18", 250)),
        ("18-lost.250", Place("18-lost", 250)),
        ("18-stalled.0", Place("18-stalled", 0)),
        (".7", Place("", 7)),
        ("18", Place("18", 0)),
        (None, Place("", 0)),
    ],
)
def test_id_of_one_task_says_where_the_client_is(event_id, place):
    assert parse_place(event_id) == place


async def test_line_that_another_process_told_already_is_waited_for(job, flusher):
    """Its hub was faster than ours: here the log ends before the place that the client names."""
    job.progress.log("one")
    flusher.flush()
    stream = await open_one(last_event_id="2.3")
    assert decode(await anext(stream)) == []
    await has_read(stream, 1)
    log_numbers(job, 3)
    flusher.flush()
    events = decode(await read_next(stream))
    stream.close()
    assert [(tell(event), event.json()["offset"]) for event in events] == [(["2"], 3)]


@pytest.mark.parametrize(
    ("last_event_id", "is_told"),
    [("3.2", True), ("3.3", True), ("3.1", False), ("2.2", False), ("3", False), (".2", False), (None, False)],
)
async def test_client_was_told_all_if_it_has_the_end_and_every_line(job, flusher, last_event_id, is_told):
    job.progress.log("one\ntwo")
    job.succeed()
    flusher.flush()
    stream = await Stream.open(["t1"], with_log=True)
    assert has_told_all(stream.watches[0], last_event_id, with_log=True) == is_told
    stream.close()


# Many tasks


async def test_id_of_many_tasks_says_the_place_in_each_log(job, flusher):
    other = begin(flusher, "t2")
    log_numbers(job, 3)
    log_numbers(other, 2)
    flusher.flush()
    stream = await open_many("t1", "t2")
    events = decode(await read_next(stream), await read_next(stream))
    stream.close()
    tasks = hash_tasks(["t1", "t2"])
    assert [(event.type, event.json()["task_id"], event.id) for event in events] == [
        ("log", "t1", f"{tasks}.3.0"),
        ("message", "t1", f"{tasks}.3.0"),
        ("log", "t2", f"{tasks}.3.2"),
        ("message", "t2", f"{tasks}.3.2"),
    ]


async def test_many_tasks_end_after_every_line(job, flusher):
    other = begin(flusher, "t2")
    flusher.flush()
    stream = await open_many("t1", "t2")
    first = await read_next(stream)
    log_numbers(job, 60)
    job.succeed()
    flusher.flush()
    log_numbers(other, 60)
    other.succeed()
    flusher.flush()
    events = decode(first, await read_rest(stream))
    assert sorted(map(int, find_lines(events))) == sorted([*range(60), *range(60)])
    assert (events[-1].type, events[-1].id) == ("end", "end")
    assert [tell(event) for event in events if event.type == "message"].count("succeeded") == 2


async def test_whoever_comes_back_to_many_tasks_misses_no_line_and_gets_none_twice(job, flusher):
    other = begin(flusher, "t2")
    log_numbers(job, 70)
    log_numbers(other, 120, start=1000)
    job.succeed()
    other.succeed()
    flusher.flush()
    whole = await read_events(await open_many("t1", "t2"))
    for index, event in enumerate(whole[:-1]):
        rest = await read_events(await open_many("t1", "t2", last_event_id=event.id))
        assert sorted(find_lines(whole[: index + 1]) + find_lines(rest)) == sorted(find_lines(whole)), event.id
        assert rest[-1].type == "end"


TASKS = hash_tasks(["t1", "t2"])


@pytest.mark.parametrize(
    "event_id",
    [
        *(None, "", "x", "end", "3.1", TASKS, f"{TASKS}.", f"{TASKS}.1", f"{TASKS}.1.2.3", f"{TASKS}.1.x"),
        *(f"{hash_tasks(['t2', 't1'])}.1.2", f"{TASKS}.1.-2", f"{TASKS}.1.{'9' * 5000}", f"{TASKS}.1.\u0663"),
        f"{TASKS}.1.2\n",
    ],
)
def test_id_that_is_not_of_these_tasks_says_nothing(event_id):
    assert parse_places(event_id, ["t1", "t2"]) == [Place(), Place()]


def test_id_of_these_tasks_says_where_the_client_is():
    assert parse_places(f"{TASKS}.17.0", ["t1", "t2"]) == [Place("", 17), Place("", 0)]


def test_lists_of_tasks_have_their_own_hashes():
    lists = [["ab"], ["a", "b"], ["b", "a"], ["a\nb"], ["a"], []]
    assert len({hash_tasks(task_ids) for task_ids in lists}) == len(lists)


async def test_log_of_a_hidden_task_is_neither_shown_nor_read(cache, job, flusher):
    other = begin(flusher, "secret")
    job.progress.log("shown")
    other.progress.log("hidden words")
    flusher.flush()
    stream = await open_many("secret", "t1", hidden=["secret"])
    cache.take_reads()
    first = await read_next(stream)
    other.progress.log("more hidden words")
    other.succeed()
    job.succeed()
    flusher.flush()
    content = first + await read_rest(stream)
    assert b"hidden words" not in content
    assert find_lines(decode(content)) == ["shown"]
    assert not [key for keys in cache.take_reads() for key in keys if "log:secret" in key]


# What the hub reads


async def test_log_that_nobody_looks_at_is_not_read(cache, job, flusher):
    flusher.flush()
    stream = await Stream.open(["t1"])
    stream.show_one(None)
    await read_next(stream)
    job.progress.log("one")
    job.progress.update(current=1, total=2)
    flusher.flush()
    await read_next(stream)
    stream.close()
    assert not [key for keys in cache.take_reads() for key in keys if ":log:" in key]


async def test_news_of_many_logs_are_one_read_whatever_the_viewers(cache, flusher):
    jobs = [begin(flusher, f"t{number}") for number in range(BATCH)]
    flusher.flush()
    streams = [await open_one(f"t{number % BATCH}") for number in range(2 * BATCH)]
    for stream in streams:
        await read_next(stream)
    cache.take_reads()
    for job in jobs:
        job.progress.log("news")
    flusher.flush()
    for stream in streams:
        assert find_lines(decode(await read_next(stream))) == ["news"]
        stream.close()
    assert [len([key for key in keys if ":log:" in key]) for keys in cache.take_reads()] == [0, BATCH]


async def test_log_is_let_go_of_with_its_last_viewer(job, flusher):
    job.progress.log("one")
    flusher.flush()
    plain, first, second = await Stream.open(["t1"]), await open_one(), await open_one()
    (watch,) = plain.watches
    await has_read(first, 1)
    first.close()
    await let_run()
    assert watch.log is not None
    second.close()
    await until(lambda: watch.log is None, "the lines were let go of")
    plain.close()


async def test_failure_to_read_a_log_is_made_up_for(cache, job, flusher, caplog):
    flusher.flush()
    stream = await open_one()
    await read_next(stream)
    cache.after_read = lambda: cache.break_down("get_many")
    job.progress.log("one")
    job.progress.update(current=1, total=2)
    flusher.flush()
    await until(lambda: "reading tasks failed" in caplog.text, "the failure was logged")
    cache.repair()
    assert [tell(event) for event in decode(await read_next(stream))] == [["one"], "running"]
    stream.close()


async def test_failure_to_read_a_log_at_first_is_made_up_for(cache, job, flusher, caplog):
    job.progress.log("one")
    flusher.flush()
    stream = await Stream.open(["t1"], with_log=True)
    cache.break_down("get_many")
    stream.show_one(None)
    await until(lambda: "reading tasks failed" in caplog.text, "the failure was logged")
    cache.repair()
    assert [tell(event) for event in decode(await read_next(stream))] == [["one"], "running"]
    stream.close()


async def test_failure_to_read_a_log_is_none_to_whoever_opens_a_stream(cache, job, flusher, caplog):
    other = begin(flusher, "t2")
    other.succeed()
    job.progress.log("one")
    flusher.flush()
    stream = await Stream.open(["t1"], with_log=True)
    cache.after_read = lambda: cache.break_down("get_many")
    stream.show_one(None)
    plain = await Stream.open(["t2"])
    plain.show_one(None)
    assert (await read_events(plain))[-1].type == "end"
    cache.repair()
    assert [tell(event) for event in decode(await read_next(stream))] == [["one"], "running"]
    stream.close()


async def test_page_that_is_garbage_is_logged_and_left_out(job, flusher, caplog):
    log_numbers(job, 60)
    job.succeed()
    flusher.flush()
    get_store().cache.set("tasks_app:log:t1:0", "garbage", None)
    events = await read_events(await open_one())
    assert find_lines(events) == [str(number) for number in range(50, 60)]
    assert events[-1].type == "end"
    assert "task t1: a stored page of its log can't be decoded" in caplog.text


async def test_stream_of_a_task_whose_pages_are_gone_ends_all_the_same(job, flusher):
    log_numbers(job, 60)
    job.succeed()
    flusher.flush()
    for slot in (0, 1):
        get_store().cache.delete(f"tasks_app:log:t1:{slot}")
    events = await read_events(await open_one())
    assert [(event.type, event.id) for event in events] == [("message", "3.60"), ("end", "3.60")]


async def test_log_of_a_task_that_is_lost_is_told(job, flusher):
    job.progress.log("one")
    job.end_lost()
    flusher.flush()
    assert [tell(event) for event in await read_events(await open_one())] == [["one"], "lost", "end"]


async def test_every_event_is_one_line_of_ascii_json(job, flusher):
    job.progress.log("two\nlines \u2028 \ud800 \x00 \U0001f680 data: 1")
    job.succeed()
    flusher.flush()
    content = await read_rest(await open_one())
    assert content.isascii()
    assert b"\r" not in content
    for event in decode(content):
        assert "\n" not in event.data
        json.loads(event.data)


# Outages


async def test_lines_wait_while_the_cache_is_away(cache, time):
    flusher = HandFlusher(time.clock)
    job = begin(flusher)
    cache.break_down("set_many")
    for start in range(0, 3000, 100):
        log_numbers(job, 100, start=start)
        assert not flusher.flush()
    cache.repair()
    job.succeed()
    assert flusher.flush()
    lines = find_lines(await read_events(await open_one()))
    assert lines == [
        "Dropped lines: 1001 (this task logs faster than viewers can read)",
        *(str(number) for number in range(2001, 3000)),
    ]
    assert job.pages == {}
