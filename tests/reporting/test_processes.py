"""Processes of a pool that report to the task of the job that uses them."""

import errno
import gc
import io
import json
import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from weakref import ref

import pytest

from tasks_app import TaskCancelled, get_snapshot, task_run
from tasks_app.reporting import exchange, link, local_home, wire_frames
from tasks_app.reporting.exchange import (
    MAX_STRANGERS,
    NONCE_BYTES,
    PROOF_BYTES,
    SECRET_BYTES,
    Place,
    get_exchange,
    prove,
)
from tasks_app.reporting.handle import Handle
from tasks_app.reporting.link import get_links
from tasks_app.reporting.remote_cancel import CancelError
from tasks_app.reporting.remote_home import NOWHERE, RemoteHome
from tasks_app.reporting.remote_sink import RemoteSink
from tasks_app.reporting.wire_frames import receive
from tasks_app.utils.exhaustion import ExhaustionLog
from tests.support import pool_jobs
from tests.support.doubles import take
from tests.support.servers import ROOT
from tests.support.waiting import DEADLINE, wait_until

#: A pool of this kind forks no process that has threads.
FORKSERVER = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(2, FORKSERVER) as pool:
        yield pool


class NamingPickler(pickle.Pickler):
    """As that of joblib, which sends functions of all kinds."""

    def persistent_id(self, value):
        return "the lambda" if getattr(value, "__name__", "") == "<lambda>" else None


def call_all(pool, function, *items):
    return list(pool.map(function, items))


def test_steps_of_processes_add_up_exactly(job, pool):
    job.progress.update(total=50_000)
    assert os.getpid() not in call_all(pool, job.progress.handle().bind(pool_jobs.advance), *[5_000] * 10)
    assert (take(job).current, take(job).progress) == (50_000, 99)


def test_pool_of_multiprocessing_takes_a_bound_function(job):
    with FORKSERVER.Pool(1) as own:
        own.map(job.progress.handle().bind(pool_jobs.advance), [5, 7])
    assert take(job).current == 12


def test_loops_of_processes_add_up(job, pool):
    call_all(pool, job.progress.handle().bind(pool_jobs.track), 10, 30)
    assert (take(job).current, take(job).total, take(job).unit) == (40, 40, "rows")


def test_what_a_process_tells_is_told_of_the_task(pool):
    with task_run("demo") as task:
        call_all(pool, task.handle().bind(pool_jobs.tell), "it")
    snapshot = get_snapshot(task.task_id)
    assert (snapshot.status, dict(snapshot.meta), snapshot.logged) == ("Doing it", {"name": "it"}, 1)


def test_stages_are_entered_in_processes(job, pool):
    job.progress.stages({"a": 1, "b": 1})
    call_all(pool, job.progress.handle().bind(pool_jobs.enter), "a", "b")
    assert [(stage.state, stage.percent) for stage in take(job).stages] == [("succeeded", 100), ("succeeded", 100)]


def test_stage_that_was_not_declared_is_named_in_a_process(job, pool):
    job.progress.stages({"a": 1})
    with pytest.raises(ValueError, match="unknown stage 'x'"):
        call_all(pool, job.progress.handle().bind(pool_jobs.enter), "x")


@pytest.mark.parametrize("chunksize", [1, 3])
def test_calls_in_processes_are_steps(job, pool, chunksize):
    results = job.progress.map(pool, pool_jobs.fail, [1, 2, 3, 6], unit="calls", chunksize=chunksize)
    assert list(results) == [6, 3, 2, 1]
    assert (take(job).current, take(job).total, take(job).unit) == (4, 4, "calls")


def test_map_in_a_process_fills_the_share_of_a_step(job, pool, tmp_path):
    results = job.progress.map(pool, pool_jobs.map_half, [str(tmp_path / "go")], total=2)
    wait_until(lambda: (take(job).percent or 0) >= 25, "both calls in the process have done half")
    (tmp_path / "go").touch()
    seen = job.snapshot.percent
    list(results)
    assert (seen, take(job).percent) == (25, 50)


@pytest.mark.parametrize("function", [pool_jobs.map_half, pool_jobs.map_in_processes])
def test_steps_of_a_map_in_a_process_are_its_calls_alone(job, pool, tmp_path, function):
    (tmp_path / "go").touch()
    argument = str(tmp_path / "go") if function is pool_jobs.map_half else 10
    call_all(pool, job.progress.handle().bind(function), argument)
    assert (take(job).current, take(job).total) == (2, 2)


def test_error_of_a_call_in_a_process_is_raised_in_its_place(job, pool):
    results = job.progress.map(pool, pool_jobs.fail, [3, 0])
    assert next(results) == 2
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_cancel_stops_a_loop_in_a_process(job, pool, tmp_path):
    future = pool.submit(job.progress.handle().bind(pool_jobs.spin), str(tmp_path / "began"))
    wait_until((tmp_path / "began").exists, "the process is at work")
    job.request_cancel()
    with pytest.raises(TaskCancelled):
        future.result(DEADLINE)


class OwnCancel(TaskCancelled):
    """As a framework has one."""


@pytest.mark.parametrize("error", [TaskCancelled, OwnCancel])
def test_cancel_in_a_process_is_raised_in_its_job_as_one_in_a_thread(job, pool, tmp_path, error):
    job.stop_by(error)
    spin, paths = job.progress.handle().bind(pool_jobs.spin), [tmp_path / "process", tmp_path / "thread"]
    with ThreadPoolExecutor(1) as threads:
        futures = [each.submit(spin, str(path)) for each, path in zip([pool, threads], paths, strict=True)]
        wait_until(lambda: all(path.exists() for path in paths), "both are at work")
        job.request_cancel()
        take(job)  # by which parts in threads hear of it
        raised = [future.exception(DEADLINE) for future in futures]
    assert [(type(each), each.args) for each in raised] == [(error, ("task t1 was asked to stop",))] * 2


class RecordingPool(ProcessPoolExecutor):
    """A pool that keeps the futures of its calls."""

    def submit(self, *call):
        self.last = super().submit(*call)
        return self.last


def test_cancel_of_a_call_in_a_process_is_that_of_the_framework_of_the_job(job, tmp_path):
    job.stop_by(OwnCancel)
    with RecordingPool(1, FORKSERVER) as own:
        results = job.progress.map(own, pool_jobs.spin, [str(tmp_path / "began")])
        wait_until((tmp_path / "began").exists, "the process is at work")
        job.request_cancel()
        assert type(own.last.exception(DEADLINE)) is OwnCancel
        results.close()


def test_cancel_that_leaves_its_process_after_the_end_of_the_job_is_a_plain_one(job):
    pickle.dumps(job.progress.handle())
    raised = CancelError(Place(0, get_exchange().secret, 10**9, 1.0, False))("task t1 was asked to stop")
    found = pickle.loads(pickle.dumps(raised))
    assert (type(found), found.args) == (TaskCancelled, ("task t1 was asked to stop",))


def test_cancel_that_passes_through_another_process_finds_its_job_later(job):
    raised = CancelError(Place(0, b"of another process", 1, 1.0, False))("task t2 was asked to stop")
    assert pickle.dumps(pickle.loads(pickle.dumps(raised))) == pickle.dumps(raised)


@pytest.mark.parametrize("chunksize", [1, 2])
def test_cancel_stops_calls_in_a_process_that_have_not_begun(job, tmp_path, chunksize):
    paths = [str(tmp_path / "first"), str(tmp_path / "second")]
    with ProcessPoolExecutor(1, FORKSERVER) as own:
        job.progress.map(own, pool_jobs.wait_for_cancel, paths, chunksize=chunksize)
        wait_until((tmp_path / "first").exists, "the first call has begun")
        job.request_cancel()
    assert not (tmp_path / "second").exists()


def test_function_that_can_not_be_pickled_is_named(job, pool):
    with pytest.raises(TypeError, match=r"<lambda> at .* can't be sent to another process; define it at the top"):
        job.progress.map(pool, lambda item: item, [1])


def test_bound_function_can_be_sent_by_a_pool_that_sends_what_has_no_name(job):
    file = io.BytesIO()
    NamingPickler(file).dump(job.progress.handle().bind(lambda: None))
    assert b"the lambda" in file.getvalue()


class ThreadlessLink(link.Link):
    """A link that sends nothing before a part ends."""

    def add(self, sink):
        sink.number = 1
        self._sinks[1] = sink


def test_status_that_changes_at_each_step_is_sent_once_at_a_time():
    sink = RemoteSink("t1", ThreadlessLink(NOWHERE), NOWHERE, None, ())
    sink.begin(lambda: (0, None, 0.0), lambda: None)
    for number in range(3):
        sink.say(f"row {number}")
        sink.count_in("rows")
    sent = [json.loads(message) for message in sink.collect()]
    assert sent == [[1, "open", 0, None], [1, "say", "row 2"], [1, "count_in", "rows"]]
    assert sink.collect() == []


@pytest.fixture
def sink(job):
    """A sink of another process whose messages are sent at its end, all at once."""
    place = job.progress.handle()._home.publish().place
    way = ThreadlessLink(place)
    sink = RemoteSink("t1", way, place, None, ())
    sink.begin(lambda: (3, None, 0.0), lambda: None)
    yield sink
    way._close()


def test_report_that_is_too_large_to_send_is_named_in_its_process(sink, caplog):
    sink.log("a" * wire_frames.MAX_BYTES, "info")
    sink.end()
    (record,) = caplog.records
    assert record.task_id == "t1"
    assert "what progress.log() reports to the process of its job is ignored: it has 67108886 bytes" in record.message
    assert "a frame has at most 67108864" in record.message


def test_reports_beside_one_that_is_too_large_to_send_arrive(sink, job):
    sink.log("a" * wire_frames.MAX_BYTES, "info")
    sink.log("small", "info")
    sink.say("Done")
    sink.end()
    assert (take(job).current, take(job).status, take(job).logged) == (3, "Done", 1)


def test_reports_that_are_too_large_together_arrive(sink, job, monkeypatch):
    monkeypatch.setattr(wire_frames, "MAX_BYTES", 100)
    for number in range(20):
        sink.log(f"line {number}", "info")
    sink.end()
    assert (take(job).current, take(job).logged) == (3, 20)


def test_report_that_a_task_refuses_names_the_task(job, pool, caplog):
    call_all(pool, job.progress.handle().bind(pool_jobs.tell_much), 100_000)
    wait_until(lambda: caplog.records, "the job has noticed")
    assert "task t1: a report of another process is ignored: meta would have" in caplog.text
    assert caplog.records[0].task_id == "t1"


def test_process_that_is_killed_gives_the_error_of_the_pool_and_keeps_what_was_counted(job):
    with ProcessPoolExecutor(1, FORKSERVER) as own:
        call_all(own, job.progress.handle().bind(pool_jobs.die), 0)
        with pytest.raises(BrokenProcessPool):
            own.submit(job.progress.handle().bind(pool_jobs.die), 1).result(DEADLINE)
    wait_until(lambda: not take(job) or not job._draft.added.is_running, "the job has noticed")
    assert job.snapshot.current >= 5


def test_map_over_a_pool_whose_process_is_killed_raises_the_error_of_the_pool(job):
    with ProcessPoolExecutor(1, FORKSERVER) as own, pytest.raises(BrokenProcessPool):
        list(job.progress.map(own, pool_jobs.die, [0, 1, 0]))
    assert not job._draft.is_tracking


def test_handle_is_small(job):
    assert len(pickle.dumps(job.progress.handle())) < 500


def test_handle_can_be_sent_while_its_process_has_no_open_files_to_spare(job, monkeypatch, caplog):
    def fail():
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(local_home, "get_exchange", fail)
    monkeypatch.setattr(local_home, "exhaustion_log", ExhaustionLog())
    assert pickle.loads(pickle.dumps(job.progress.handle()))
    assert "other processes can't report to its tasks for now" in caplog.text


def test_handle_that_comes_back_needs_no_connection(job):
    handle = pickle.loads(pickle.dumps(job.progress.handle()))
    with handle as part:
        part.advance(3)
    assert take(job).current == 3
    assert get_links.peek() is None


def test_handle_of_an_ended_task_is_ignored_in_a_process(pool, caplog):
    with task_run("demo") as task:
        handle = task.handle()
        handle_in_transit = pickle.dumps(handle)
    for _ in range(2):
        call_all(pool, pickle.loads(handle_in_transit).bind(pool_jobs.advance), 5)
    assert get_snapshot(task.task_id).current is None
    assert [text for text in caplog.messages if "is ignored" in text] == [
        f"task {task.task_id} has ended: what is reported by its handle is ignored"
    ]


def test_connection_without_the_secret_is_closed(job):
    pickle.dumps(job.progress.handle())
    port = get_exchange()._listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as stranger:
        stranger.sendall(b"x" * (NONCE_BYTES + SECRET_BYTES))
        assert receive(stranger, PROOF_BYTES) == prove(get_exchange().secret, b"x" * NONCE_BYTES)
        assert stranger.recv(1) == b""


def test_process_tells_nothing_to_another_that_listens_at_the_port_of_its_job(caplog):
    heard = bytearray()

    def listen():
        connection, _ = listener.accept()
        with connection:
            heard.extend(receive(connection, NONCE_BYTES))
            connection.sendall(b"x" * PROOF_BYTES)
            while some := connection.recv(1000):
                heard.extend(some)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=listen)
        thread.start()
        place = Place(listener.getsockname()[1], b"secret" * 6, 1, 0.01, False)
        with Handle(RemoteHome("t1", place, ())) as part:
            part.log("private")
        thread.join(DEADLINE)
    assert (len(heard), thread.is_alive()) == (NONCE_BYTES, False)
    assert "another process listens at its port" in caplog.text


def send_slowly(connection, data):
    """Send bytes one by one, until the other side has gone."""
    with suppress(OSError):
        for byte in data:
            connection.sendall(bytes([byte]))
            threading.Event().wait(0.1)


def test_stranger_that_says_the_secret_byte_by_byte_gives_its_place_back_in_time(job, monkeypatch):
    monkeypatch.setattr(exchange, "SECRET_SECONDS", 0.5)
    port = get_exchange().admit(job.progress).port
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as stranger, suppress(ConnectionResetError):
        send_slowly(stranger, b"x" * NONCE_BYTES)
        assert stranger.recv(1) == b""


def test_process_waits_no_longer_for_another_at_the_port_that_answers_byte_by_byte(monkeypatch, caplog):
    monkeypatch.setattr(link, "ANSWER_SECONDS", 0.5)

    def listen():
        connection, _ = listener.accept()
        with connection:
            send_slowly(connection, b"x" * PROOF_BYTES)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=listen)
        thread.start()
        with Handle(RemoteHome("t1", Place(listener.getsockname()[1], b"secret" * 6, 1, 0.01, False), ())) as part:
            part.advance()
        thread.join(DEADLINE)
    assert "timed out" in caplog.text


def test_connection_on_which_a_frame_was_interrupted_is_closed(job, monkeypatch):
    def interrupt(connection):
        raise KeyboardInterrupt

    monkeypatch.setattr(link, "receive_frame", interrupt)
    place = get_exchange().admit(job.progress)
    way = ThreadlessLink(place)
    sink = RemoteSink("t1", way, place, None, ())
    sink.begin(lambda: (1, None, 0.0), lambda: None)
    with pytest.raises(KeyboardInterrupt):
        sink.end()
    assert (way.is_broken, way._connection) == (True, None)


def test_process_that_can_start_no_thread_reports_at_the_end_of_a_part(job, monkeypatch):
    def fail(work):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(link, "start_thread", fail)
    place = job.progress.handle()._home.publish().place
    way = link.Link(place)
    sink = RemoteSink("t1", way, place, None, ())
    sink.begin(lambda: (3, None, 0.0), lambda: None)
    sink.say("Done")
    sink.end()
    way._close()
    assert (take(job).current, take(job).status) == (3, "Done")


@pytest.fixture
def way(job):
    """The way to a job that another process has."""
    home = job.progress.handle()._home.publish()
    yield lambda: home.open_for(home, None, None)
    link.find_link(home.place)._close()
    get_links.cache_clear()


def test_part_of_a_process_is_freed_at_its_end_without_the_garbage_collector(way):
    gc.disable()
    try:
        part = way()
        part.advance()
        part.end()
        gone = ref(part)
        del part
        assert gone() is None
    finally:
        gc.enable()


def test_signal_handler_may_report_while_its_thread_sends(job, way, monkeypatch):
    handled, receive_frame = threading.Event(), exchange.receive_frame

    def receive_slowly(connection):
        if (
            connection.recv(1, socket.MSG_PEEK) and not handled.is_set()
        ):  # it has begun to send, and waits for more room
            signal.pthread_kill(threading.main_thread().ident, signal.SIGALRM)
            handled.wait(0.5)
        return receive_frame(connection)

    def report(*arguments):
        part = way()
        part.advance()
        part.end()
        handled.set()

    monkeypatch.setattr(exchange, "receive_frame", receive_slowly)
    before = signal.signal(signal.SIGALRM, report)
    try:
        part = way()
        part.log("a" * 32_000_000)
        part.end()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert (take(job).current, take(job).logged) == (1, 1)


def test_signal_handler_may_send_a_handle_while_its_thread_does(job, monkeypatch):
    door, places = get_exchange(), []

    class InterruptedHomes(dict):
        def __setitem__(self, number, home):
            if not self:  # a signal comes at the first one
                super().__setitem__(number, home)
                places.append(door.admit(job.progress))
            super().__setitem__(number, home)

    monkeypatch.setattr(door, "_homes", InterruptedHomes())
    thread = threading.Thread(target=lambda: places.append(door.admit(job.progress)), daemon=True)
    thread.start()
    thread.join(DEADLINE)
    assert len({place.number for place in places}) == 2


def test_signal_handler_may_report_while_its_thread_finds_its_first_link(monkeypatch):
    class InterruptedLink(link.Link):
        def __init__(self, place):
            super().__init__(place)
            if get_links() == {} and not interrupted:
                interrupted.append(True)
                found.append(link.find_link(NOWHERE))

    interrupted, found = [], []
    monkeypatch.setattr(link, "Link", InterruptedLink)
    assert link.find_link(NOWHERE) is found[0]


def test_strangers_without_number_leave_room(job, pool):
    pickle.dumps(job.progress.handle())
    door = get_exchange()
    door._strangers = threading.Semaphore(0)
    with socket.create_connection(("127.0.0.1", door._listener.getsockname()[1]), DEADLINE) as stranger:
        assert stranger.recv(1) == b""
    door._strangers = threading.Semaphore(MAX_STRANGERS)
    call_all(pool, job.progress.handle().bind(pool_jobs.advance), 5)
    assert take(job).current == 5


def test_process_that_was_refused_reports_again_later(job):
    door = get_exchange()
    with ProcessPoolExecutor(1, FORKSERVER) as own:
        door._strangers = threading.Semaphore(0)
        call_all(own, job.progress.handle().bind(pool_jobs.advance), 5)
        door._strangers = threading.Semaphore(MAX_STRANGERS)
        call_all(own, job.progress.handle().bind(pool_jobs.advance), 7)
    assert take(job).current == 7


SCRIPT = """
import multiprocessing
if __name__ == "__main__":
    import django
    django.setup()
    from tasks_app import get_snapshot, progress, task_run
    from tests.support.pool_jobs import advance
    context = multiprocessing.get_context("METHOD")
    with task_run("demo") as task:
        children = [context.Process(target=progress.handle().bind(advance), args=(1000,)) for _ in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join()
    print(get_snapshot(task.task_id).current, [child.exitcode for child in children])
"""


@pytest.mark.parametrize(
    "method",
    ["fork", pytest.param("spawn", marks=pytest.mark.slow), pytest.param("forkserver", marks=pytest.mark.slow)],
)
def test_handle_works_however_a_process_is_started(method, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.replace("METHOD", method))
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.support.settings", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, path], env=env, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE)
    assert (done.stdout, done.returncode) == ("2000 [0, 0]\n", 0)


def test_handle_works_in_a_process_that_knows_no_settings_of_django(tmp_path):
    path = tmp_path / "script.py"
    forget = 'django.setup()\n    import os\n    del os.environ["DJANGO_SETTINGS_MODULE"]'
    path.write_text(SCRIPT.replace("METHOD", "spawn").replace("django.setup()", forget))
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.support.settings", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, path], env=env, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE)
    assert (done.stdout, done.returncode) == ("2000 [0, 0]\n", 0), done.stderr


def test_forked_child_of_a_job_is_told_once_how_to_report(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.replace("METHOD", "fork").replace("progress.handle().bind(advance)", "advance"))
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.support.settings", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, path], env=env, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE)
    assert done.stdout == "None [0, 0]\n"
    assert done.stderr.count("progress.handle().bind(function)") == 2  # once in each
