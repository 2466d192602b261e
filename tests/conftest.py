"""What tests share: a deadline on every wait, and the proof that each test has cleaned up."""

import gc
import importlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import hypothesis
import pytest
from django.conf import settings
from django.core.cache import caches
from django.core.management import call_command
from django.core.management.commands import flush
from django.core.signals import setting_changed
from django.db import connections
from django.dispatch import receiver
from playwright.sync_api import Browser

from tasks_app.http import problems
from tasks_app.http.admission import get_admission
from tasks_app.http.shares import get_shares
from tasks_app.monitor.recent_tasks import get_recent_reader
from tasks_app.reporting.backlog import Backlog
from tasks_app.reporting.process import get_flusher
from tasks_app.reporting.reporter import Reporter
from tasks_app.store.store import MAX_THREADS, Store, get_store
from tasks_app.streaming.polling import get_observer
from tasks_app.utils.rarely import Rarely
from tests.support import jobs
from tests.support.backends import BACKENDS, make_params, run_memcached
from tests.support.browser import open_browser
from tests.support.caches import CONTROLLED_CACHES, Controls, controls
from tests.support.doubles import FakeTime, HandFlusher, begin
from tests.support.valkey import ValkeyServer
from tests.support.waiting import DEADLINE, wait_until

#: How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


def pytest_configure() -> None:
    """Let servers of the tests hear Ctrl-C, which what a shell starts in the background ignores."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Have each process of a whole run load the modules from another one on: each compiles a part of them for all."""
    worker = getattr(session.config, "workerinput", None)
    if worker is None or session.config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    here = Path(__file__).parent
    paths = sorted(here.rglob("test_*.py"))
    first = len(paths) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
    for path in paths[first:] + paths[:first]:
        with suppress(Exception, pytest.skip.Exception):  # the collection tells of what can't be loaded
            importlib.import_module(".".join([here.name, *path.relative_to(here).with_suffix("").parts]))


def pytest_collection_finish() -> None:
    """Spare each collection of garbage to come a look at all tests that there are."""
    gc.collect()
    gc.freeze()


@receiver(setting_changed)
def forget_stores(*, setting: str, **kwargs: object) -> None:
    """Forget the stores of the old CACHES once more: Django forgets its caches later than this app does.

    In between, a thread of the test before may have made one.
    """
    if setting == "CACHES":
        get_store.cache_clear()
        get_recent_reader.cache_clear()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """SQLite's database is a file: threads that share one in memory get an error where others wait for the lock."""
    default = settings.DATABASES["default"]
    if default["ENGINE"] == "django.db.backends.sqlite3":
        default["TEST"] = {**default.get("TEST", {}), "NAME": str(tmp_path_factory.mktemp("database") / "db.sqlite3")}


@pytest.fixture(autouse=True, scope="session")
def _put_permissions_back() -> Iterator[None]:
    """What `migrate` makes of the models is put back where a test has emptied all tables, and not made once more."""
    from django.contrib.auth.models import Permission  # the settings are not read before
    from django.contrib.contenttypes.models import ContentType

    emit, kept = flush.emit_post_migrate_signal, {}

    def put_back(verbosity: int, interactive: bool, db: str, **kwargs: object) -> None:
        if db not in kept:
            emit(verbosity, interactive, db, **kwargs)
            kept[db] = [list(model.objects.using(db).all()) for model in (ContentType, Permission)]
        else:
            for rows in kept[db]:
                type(rows[0]).objects.using(db).bulk_create(rows)

    with patch.object(flush, "emit_post_migrate_signal", put_back):
        yield


@pytest.fixture(autouse=True, scope="session")
def _join_long_ago() -> None:
    """Users that tests make have joined before the tasks that they own were made, whose times are often fixed."""
    from django.contrib.auth.models import User  # the settings are not read before

    field = User._meta.get_field("date_joined")
    field.default = datetime(2000, 1, 1, tzinfo=UTC)
    field.__dict__.pop("_get_default", None)


#: The most seconds in which the tasks of a test are listed once it has ended.
LISTING_SECONDS = 1.0


@pytest.fixture(autouse=True)
def _clean_slate() -> Iterator[None]:
    """Each test begins with an empty cache and leaves no task behind."""
    _forget_the_past()
    caches["default"].clear()
    get_recent_reader.cache_clear()
    jobs.gate.clear()
    yield
    jobs.gate.set()
    wait_until(lambda: not get_flusher().reporters, "every task ended and was stored")


def _forget_the_past() -> None:
    """What this process remembers of earlier tests' tasks: what it would yet write, and what it saw."""
    get_flusher().drain(LISTING_SECONDS)  # what it is just writing would be found in the empty cache
    get_flusher().backlog = Backlog()
    get_admission.cache_clear()
    get_shares.cache_clear()
    problems._refusals = Rarely()
    get_observer.cache_clear()


@pytest.fixture
def open_gate() -> Callable[[], None]:
    """Let the `wait` task go on."""
    return jobs.gate.set


@pytest.fixture
def cache(settings) -> Iterator[Controls]:
    """A cache that counts, and fails on demand."""
    settings.CACHES = CONTROLLED_CACHES
    controls.reset()
    yield controls
    controls.reset()


def _close_connections(store: Store) -> None:
    """Close what a store has opened in its threads."""
    all_of_them = threading.Barrier(MAX_THREADS)

    def close() -> None:
        all_of_them.wait(DEADLINE)
        connections.close_all()

    for closing in [store.submit(close) for _ in range(MAX_THREADS)]:
        closing.result(DEADLINE)


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """The address of a Valkey server that the tests of a process share."""
    with ValkeyServer() as server:
        yield server.connection_url.removeprefix("redis://")


@pytest.fixture(scope="session")
def memcached() -> Iterator[str]:
    """The address of a memcached that the tests of a process share."""
    with run_memcached() as address:
        yield address


@pytest.fixture(
    params=[
        "locmem",
        "file",
        pytest.param("database", marks=pytest.mark.django_db(transaction=True)),
        *make_params(),
    ]
)
def store(request, settings, tmp_path) -> Iterator[Store]:
    """A store over each kind of cache."""
    backends = {
        "locmem": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "store"},
        "file": {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": str(tmp_path)},
        "database": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "test_store_cache"},
    }
    if request.param in BACKENDS:
        settings.CACHES = {"default": BACKENDS[request.param].configure(request, tmp_path)}
    else:
        settings.CACHES = {"default": {**backends[request.param], "TIMEOUT": 1}}
    if request.param == "database":
        call_command("createcachetable", verbosity=0)
    caches["default"].clear()
    yield get_store()
    caches["default"].clear()
    get_store().cache.close()
    caches["default"].close()
    if request.param == "database":
        _close_connections(get_store())


@pytest.fixture
def time() -> FakeTime:
    """A clock that moves only when it is told to."""
    return FakeTime()


@pytest.fixture
def flusher(time: FakeTime) -> HandFlusher:
    """A flusher that writes when the test says so."""
    return HandFlusher(time.clock)


@pytest.fixture
def job(flusher: HandFlusher) -> Reporter:
    """A task that runs, and is written when the test says so."""
    return begin(flusher)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser; it has an event loop, beside which no other of the same thread can run."""
    with open_browser() as running:
        yield running
