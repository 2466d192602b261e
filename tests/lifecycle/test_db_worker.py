"""Tasks that `manage.py db_worker` runs: what viewers of a web process see of them."""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from subprocess import TimeoutExpired
from typing import Any

import pytest

from tasks_app import make_token
from tests.support import wire
from tests.support.db_site import CACHE_TABLE, TABLE, Orders, Site, run_python, run_site
from tests.support.details import RECORDED, list_arguments, read_details_at
from tests.support.servers import Server, find_free_port
from tests.support.valkey import ValkeyServer
from tests.support.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site without a worker, on a Valkey server; each test has a queue of its own."""
    with ValkeyServer() as valkey, run_site(tmp_path_factory.mktemp("db"), valkey.connection_url) as running:
        yield running


@pytest.fixture
def queue(request: pytest.FixtureRequest) -> str:
    """The name of a queue that only this test uses."""
    return str(request.node.name)[-32:]


@pytest.fixture
def orders(site: Site, queue: str) -> Orders:
    return site.make_orders(queue)


@pytest.fixture
def task_id(site: Site, queue: str, orders: Orders) -> str:
    """A puppet that waits."""
    return enqueue_puppet(site, queue, orders)


def enqueue_puppet(site: Site, queue: str, orders: Orders, **order: Any) -> str:
    return site.enqueue("puppet", {"orders": str(orders)}, using={"queue_name": queue}, **order)


@contextmanager
def run_puppet(site: Site, queue: str, orders: Orders, task_id: str, *options: str) -> Iterator[Server]:
    """Run a worker for this queue, until the puppet is at 25 % and beyond."""
    with site.run_worker("--queue-name", queue, *options) as worker, site.open(task_id) as stream:
        orders.give(current=1, total=4, status="one")
        stream.read_status("one")
        yield worker


def read_end(stream: wire.EventStream) -> dict[str, Any]:
    """Return the snapshot by which a stream ends."""
    return stream.read_until(lambda event: event.type == "end").json()


def wait_for_exit(worker: Server) -> int:
    """Return the code with which a worker ends; what it has printed is said where it does not."""
    try:
        return worker.process.wait(DEADLINE)
    except TimeoutExpired:
        pytest.fail(f"the worker goes on; it printed {worker.output}")


# --- what viewers see ---


def test_progress_and_end_reach_viewers_of_another_process_by_wake_ups(site, queue, orders, task_id):
    with site.open(task_id) as stream, site.run_worker("--queue-name", queue):
        assert stream.read_status("Queued")["state"] == "queued"
        for step in (1, 2, 3):
            orders.give(current=step, total=4, status=f"step {step}")
            assert stream.read_status(f"step {step}")["progress"] == step * 25
        orders.give_return({"rows": 3})
        end = read_end(stream)
    assert (end["state"], end["progress"], end["result"], end["attempt"]) == ("succeeded", 100, {"rows": 3}, 1)


@pytest.mark.parametrize("cache", ["db.DatabaseCache", "filebased.FileBasedCache"])
def test_progress_and_end_reach_viewers_without_a_channel_layer(cache, tmp_path, queue):
    location = CACHE_TABLE if cache.startswith("db") else str(tmp_path / "cache")
    with run_site(tmp_path, location, backend=cache) as site, site.run_worker("--queue-name", queue):
        orders = site.make_orders(queue)
        task_id = enqueue_puppet(site, queue, orders)
        with site.open(task_id) as stream:
            orders.give(current=1, total=4, status="one")
            assert stream.read_status("one")["progress"] == 25
            orders.give_return(7)
            assert read_end(stream)["result"] == 7


def test_queued_task_says_how_long_those_took_that_a_worker_has_run(site, queue, tmp_path):
    def enqueue() -> str:
        return site.enqueue("note", {"path": str(tmp_path / "note"), "text": "x"}, using={"queue_name": queue})

    task_ids = [enqueue() for _ in range(3)]
    with site.run_worker("--queue-name", queue):
        for task_id in task_ids:
            site.wait_for(task_id, "succeeded")
    wait_until(lambda: site.get(enqueue()).json()["expected"] is not None, "what the worker has stored is told")


def test_task_that_raises_ends_as_failed(site, queue, orders, task_id):
    with site.open(task_id) as stream, run_puppet(site, queue, orders, task_id):
        orders.give_raise("no such file")
        end = read_end(stream)
    assert (end["state"], end["progress"]) == ("failed", 25)
    assert end["error"] == {"type": "Exception", "message": "The task failed."}


def test_worker_arguments_and_traceback_are_recorded_for_staff(site, queue, orders, task_id):
    recording = {"DB_TASKS_APP": json.dumps(RECORDED)}
    orders.give_raise("no such file")
    with site.open(task_id) as stream, site.run_worker("--queue-name", queue, **recording) as worker:
        read_end(stream)
        details = read_details_at(site.env["DB_LOCATION"], task_id)
        assert (details["process"], details["state"]) == (worker.process.pid, "failed")
    assert list_arguments(details) == {"orders": repr(str(orders))}
    assert details["traceback"].endswith("RuntimeError: no such file\n")


def test_task_that_the_worker_can_not_import_tells_staff_why(site, queue, task_id):
    site.remove_code(task_id)
    recording = {"DB_TASKS_APP": json.dumps(RECORDED)}
    with site.open(task_id) as stream, site.run_worker("--queue-name", queue, **recording):
        read_end(stream)
    details = read_details_at(site.env["DB_LOCATION"], task_id, attempt=0)
    assert (details["host"], details["started_at"]) == (None, None)
    assert "ImportError" in details["traceback"]


def test_task_that_the_worker_can_not_import_ends_as_failed(site, queue, task_id):
    site.remove_code(task_id)
    with site.open(task_id) as stream, site.run_worker("--queue-name", queue):
        end = read_end(stream)
    assert (end["state"], end["error"]["type"], end["attempt"]) == ("failed", "Exception", 0)


def test_task_started_over_http_keeps_its_name(site):
    orders = site.make_orders("by-name")
    task_id = site.start("puppet", orders=str(orders))
    with site.open(task_id) as stream, site.run_worker():
        orders.give_return()
        assert read_end(stream)["task"] == "puppet"


def test_task_that_is_to_run_later_is_queued_until_then(site, queue, orders):
    orders.give_return("late")
    task_id = enqueue_puppet(site, queue, orders, delay=2)
    with site.open(task_id) as stream, site.run_worker("--queue-name", queue):
        snapshots = [event.json() for event in stream.read_all()]
    assert snapshots[0]["state"] == "queued"
    assert (snapshots[-1]["state"], snapshots[-1]["result"]) == ("succeeded", "late")


def test_tasks_run_by_priority(site, queue):
    path = site.folder / "notes"
    tasks = [
        site.enqueue("note", {"path": str(path), "text": str(n)}, using={"queue_name": queue, "priority": n})
        for n in (0, 5, -5)
    ]
    with site.run_worker("--queue-name", queue):
        for task_id in tasks:
            site.wait_for(task_id, "succeeded")
    assert path.read_text().split() == ["5", "0", "-5"]


# --- cancel ---


def test_running_task_stops_at_its_next_check(tmp_path, queue):
    with ValkeyServer() as valkey, run_site(tmp_path, valkey.connection_url, SWEEP_INTERVAL=0.1) as site:
        orders = site.make_orders(queue)
        task_id = enqueue_puppet(site, queue, orders)
        with site.open(task_id) as stream, run_puppet(site, queue, orders, task_id):
            site.cancel(task_id)
            end = read_end(stream)
            wait_until(lambda: site.query(task_id)["status"] == "FAILED", "the database knows")
    assert (end["state"], end["cancel_requested"]) == ("cancelled", True)


def test_queued_task_is_taken_back_before_any_worker_comes(site, queue, task_id):
    with site.open(task_id) as stream:
        site.cancel(task_id)
        end = read_end(stream)
    assert (end["state"], end["attempt"]) == ("cancelled", 0)
    row = site.query(task_id)
    assert (row["status"], row["exception_class_path"]) == ("FAILED", "tasks_app.exceptions.TaskCancelled")
    with site.run_worker("--queue-name", queue, "--batch") as worker:
        assert wait_for_exit(worker) == 0
    assert site.query(task_id)["worker_ids"] == "[]"


def test_receivers_learn_of_a_task_that_was_taken_back(site, task_id):
    code = (
        "import django; django.setup()\n"
        "from django_tasks_db.compat import task_finished\n"
        "from tasks_app import cancel\n"
        "def tell(task_result, **kwargs): print(task_result.id, task_result.status)\n"
        "task_finished.connect(tell)\n"
        f"cancel({task_id!r})"
    )
    assert run_python("-c", code, env=site.env).split() == [task_id, "FAILED"]


def test_queued_task_that_can_not_be_imported_any_more_is_taken_back_too(site, task_id):
    site.remove_code(task_id)
    site.cancel(task_id)
    assert site.wait_for(task_id, "cancelled")["attempt"] == 0


def test_cancel_in_a_transaction_that_is_rolled_back_takes_nothing_back(site, task_id):
    script = f"""
        import django; django.setup()
        from django.db import transaction
        from tasks_app import cancel
        with transaction.atomic():
            cancel("{task_id}")
            transaction.set_rollback(True)
    """
    run_script(script, site)
    assert site.query(task_id)["status"] == "READY"
    assert site.get(task_id).json()["state"] == "queued"


def test_cancel_that_finds_the_task_claimed_stops_it_long_before_the_next_sweep(site, queue, task_id):
    # What the web process does when a worker takes the task in the instant of the cancel: it leaves word alone.
    code = (
        "import django; django.setup()\n"
        f"from tasks_app.store.store import get_store; get_store().request_cancel({task_id!r})"
    )
    run_python("-c", code, env=site.env)
    with site.open(task_id) as stream, site.run_worker("--queue-name", queue):
        assert read_end(stream)["state"] == "cancelled"


# --- transactions ---


@pytest.mark.parametrize("order", [{}, {"owner": 7}, {"owner": 7, "on_commit": True}], ids=str)
def test_task_of_a_transaction_that_is_rolled_back_never_was(site, queue, orders, order):
    task_id = enqueue_puppet(site, queue, orders, rollback=True, **order)
    assert site.query(task_id) == {}
    assert site.get(task_id).status == 404


def test_task_of_a_transaction_is_known_once_it_commits(site, task_id):
    assert site.get(task_id).json()["state"] == "queued"


def test_worker_that_is_faster_than_the_commit_callback_knows_owner_and_label(site):
    script = """
        import django; django.setup()
        from django.db import transaction
        from django_tasks_db.compat import task_started
        from django_tasks_db.models import DBTaskResult
        from tasks_app import get_snapshot, start
        from tests.support.jobs import add

        def begin():
            row = DBTaskResult.objects.get()
            task_started.send(DBTaskResult, task_result=row.task_result)

        with transaction.atomic():
            transaction.on_commit(begin)
            task_id = start(add, 1, owner="7", label="Sum")
        snapshot = get_snapshot(task_id)
        print(snapshot.owner, snapshot.label, snapshot.state)
    """
    with empty_queue(site):
        assert run_script(script, site) == ["7", "Sum", "running"]


def test_owner_and_label_of_a_waiting_task_outlives_an_empty_cache(site):
    script = """
        import django; django.setup()
        from django.core.cache import cache
        from django_tasks_db.compat import task_started
        from django_tasks_db.models import DBTaskResult
        from tasks_app import get_snapshot, start
        from tests.support.jobs import add

        task_id = start(add, 1, owner="7", label="Sum")
        cache.clear()
        task_started.send(DBTaskResult, task_result=DBTaskResult.objects.get().task_result)
        print(get_snapshot(task_id).owner, get_snapshot(task_id).label)
    """
    with empty_queue(site):
        assert run_script(script, site) == ["7", "Sum"]


def test_no_worker_sees_a_started_task_before_its_owner_is_stored(site):
    script = """
        import threading
        import django; django.setup()
        from django_tasks_db.compat import task_enqueued
        from django_tasks_db.models import DBTaskResult
        from tasks_app import start
        from tests.support.jobs import add

        def look():
            print(DBTaskResult.objects.count())

        def look_from_elsewhere(**kwargs):
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()

        task_enqueued.connect(look_from_elsewhere)
        start(add, 1, owner="7")
        look()
    """
    with empty_queue(site):
        assert run_script(script, site) == ["0", "1"]


@contextmanager
def empty_queue(site: Site) -> Iterator[None]:
    """Delete all rows before and after."""
    site.execute(f"DELETE FROM {TABLE}")
    yield
    site.execute(f"DELETE FROM {TABLE}")


def run_script(script: str, site: Site) -> list[str]:
    """Run a script of the project, and return the words it prints."""
    return run_python("-c", re.sub("^ {8}", "", script, flags=re.MULTILINE), env=site.env).split()


def test_start_that_fails_in_a_transaction_leaves_the_rest_of_that(site):
    script = f"""
        import django; django.setup()
        from django.db import transaction
        from django.test import override_settings
        from django_tasks_db.models import DBTaskResult
        from tasks_app import StoreUnavailable, start
        from tests.support.jobs import add

        down = {{"default": {{
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:{find_free_port()}",
        }}}}
        with transaction.atomic():
            kept = start(add, 1)
            with override_settings(CACHES=down):
                try:
                    start(add, 2)
                except StoreUnavailable as error:
                    print(type(error).__name__)
        print(*DBTaskResult.objects.values_list("args_kwargs__args", flat=True))
    """
    with empty_queue(site):
        assert run_script(script, site) == ["StoreUnavailable", "[1]"]


# --- workers that end ---


def test_last_snapshot_of_a_worker_that_ends_with_its_task_is_seen(site, queue, orders, task_id):
    orders.give(current=1, total=4, status="one")
    orders.give_return("last")
    with site.open(task_id) as stream, site.run_worker("--queue-name", queue, "--max-tasks", "1") as worker:
        assert wait_for_exit(worker) == 0, worker.output
        assert read_end(stream)["result"] == "last"


def test_worker_that_is_asked_to_end_in_mid_task_ends_that_first(site, queue, orders, task_id):
    with site.open(task_id) as stream, run_puppet(site, queue, orders, task_id) as worker:
        worker.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "shutting down gracefully" in "".join(worker.output), "it was told")
        orders.give(current=3, status="three")
        assert stream.read_status("three")["progress"] == 75
        orders.give_return()
        assert read_end(stream)["state"] == "succeeded"
        assert wait_for_exit(worker) == 0


def test_worker_that_is_told_twice_leaves_a_failed_task(site, queue, orders, task_id):
    with site.open(task_id) as stream, run_puppet(site, queue, orders, task_id) as worker:
        for text in ("shutting down gracefully", "terminating current task"):
            worker.process.send_signal(signal.SIGTERM)
            wait_until(lambda text=text: text in "".join(worker.output), text)
        assert (end := read_end(stream))["state"] == "failed"
        assert end["error"]["type"] == "Exception"


def test_task_of_a_worker_that_is_killed_stalls_and_is_lost(tmp_path, queue):
    times = {"HEARTBEAT": 0.2, "STALLED_AFTER": 1.5, "LOST_AFTER": 4, "SWEEP_INTERVAL": 0.2}
    with ValkeyServer() as valkey, run_site(tmp_path, valkey.connection_url, **times) as site:
        orders = site.make_orders(queue)
        task_id = enqueue_puppet(site, queue, orders)
        with site.open(task_id) as stream, run_puppet(site, queue, orders, task_id) as worker:
            stream.read_status("one")
            worker.process.kill()
            wait_for_exit(worker)
            stalled = stream.read_until(lambda event: event.json()["stalled"]).json()
            end = read_end(stream)
    assert (stalled["state"], stalled["progress"]) == ("running", 25)
    assert (end["state"], end["progress"]) == ("lost", 25)


# --- outages ---


def test_task_whose_owner_can_not_be_stored_is_refused_whole(tmp_path):
    with run_site(tmp_path, f"redis://127.0.0.1:{find_free_port()}") as site:
        response = wire.post_json(site.port, "/start-task", {"task": "add", "kwargs": {"a": 1}})
        assert response.status == 503, response
        assert site.execute(f"SELECT count(*) FROM {TABLE}") == [(0,)]


def test_worker_lives_through_an_outage_of_the_cache_and_tells_the_end_afterwards(tmp_path, queue):
    port = find_free_port()
    with run_site(tmp_path, f"redis://127.0.0.1:{port}") as site:
        orders = site.make_orders(queue)
        with ValkeyServer(port=port):
            task_id = enqueue_puppet(site, queue, orders)
        with site.run_worker("--queue-name", queue) as worker:
            orders.give(current=1, total=4, status="one")
            orders.give_return("done")
            wait_until(lambda: site.query(task_id)["status"] == "SUCCESSFUL", "it succeeded")
            with ValkeyServer(port=port):
                wait_until(lambda: site.get(task_id).status == 200, "it is stored again")
                assert site.wait_for(task_id, "succeeded")["result"] == "done"
                assert worker.process.poll() is None


def test_stream_that_was_open_through_an_outage_gets_the_end(tmp_path, queue):
    port = find_free_port()
    with run_site(tmp_path, f"redis://127.0.0.1:{port}", SWEEP_INTERVAL=0.2) as site:
        orders = site.make_orders(queue)
        with ExitStack() as stack:
            valkey = stack.enter_context(ValkeyServer(port=port))
            task_id = enqueue_puppet(site, queue, orders)
            stack.enter_context(site.run_worker("--queue-name", queue))
            stream = stack.enter_context(site.open(task_id))
            orders.give(current=1, total=4, status="one")
            stream.read_status("one")
            valkey.stop()
            orders.give_return("done")
            wait_until(lambda: site.query(task_id)["status"] == "SUCCESSFUL", "it succeeded")
            valkey.start()
            assert read_end(stream)["result"] == "done"


def test_worker_that_ends_with_its_task_waits_for_the_cache_to_take_the_end(tmp_path, queue):
    port = find_free_port()
    with (
        run_site(tmp_path, f"redis://127.0.0.1:{port}", SWEEP_INTERVAL=0.2) as site,
        ValkeyServer(port=port) as valkey,
    ):
        orders = site.make_orders(queue)
        task_id = enqueue_puppet(site, queue, orders)
        with run_puppet(site, queue, orders, task_id, "--batch") as worker:
            valkey.stop()
            orders.give_return("done")
            wait_until(lambda: "exiting gracefully" in "".join(worker.output), "it is to exit")
            valkey.start()
            assert wait_for_exit(worker) == 0
            assert site.wait_for(task_id, "succeeded")["result"] == "done"


# --- batches ---


def start_batch(site: Site, queue: str, number: int, *, is_undone: bool = False) -> str:
    """Start a batch in a transaction of a script, and return its id."""
    script = f"""
        import django; django.setup()
        from django.db import transaction
        from tasks_app import start_batch
        from tests.support.jobs import add
        with transaction.atomic():
            print(start_batch(add.using(queue_name="{queue}"), [(1,)] * {number}, owner="7"))
            transaction.set_rollback({is_undone})
    """
    (task_id,) = run_script(script, site)
    return task_id


def test_batch_is_one_stream_with_one_end(site, queue):
    task_id = start_batch(site, queue, 60)
    path = f"/task-progress/{task_id}?token={make_token(task_id)}"
    stream = wire.EventStream(site.port, path)
    stream.socket.settimeout(DEADLINE)
    progress: list[int] = []

    def note(event: wire.Event) -> bool:
        progress.append(event.json()["progress"])
        return event.type == "end"

    with stream, site.run_worker("--queue-name", queue):
        end = stream.read_until(note).json()
    assert (end["state"], end["children"]["succeeded"]) == ("succeeded", 60)
    assert progress == sorted(progress)


def test_batch_is_gone_after_a_rollback(site, queue):
    task_id = start_batch(site, queue, 2, is_undone=True)
    assert wire.send(site.port, "GET", f"/tasks/{task_id}?token={make_token(task_id)}").status == 404
