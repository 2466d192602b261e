"""The handler that makes the logging module write to the log of the task that runs."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from concurrent import futures
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from traceback import TracebackException
from typing import NamedTuple

import pytest
from django.contrib.auth.models import User
from django.utils.functional import SimpleLazyObject

from tasks_app import LogHandler, task_run
from tasks_app.reporting.context import bind
from tasks_app.reporting.process import get_flusher
from tasks_app.reporting.reporter import Reporter
from tasks_app.store import get_store
from tests.support.servers import ROOT
from tests.support.waiting import DEADLINE


@pytest.fixture
def logger(job) -> Iterator[logging.Logger]:
    """A logger with the handler, in the context of `job`."""
    logger, handler = logging.getLogger("shop"), LogHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    bind(job)
    yield logger
    bind(None)
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def read_log(job: Reporter) -> list[tuple[str, str]]:
    """Return the level and the text of each line that is to be written."""
    job.take()
    return [(line["level"], line["text"]) for page in job.pages.values() for line in json.loads(page)["lines"]]


def read_stored_log(task_id: str) -> list[str]:
    (page,) = get_store().read_pages([(task_id, 0)]).values()
    return [line["text"] for line in json.loads(page)["lines"]]


def raise_and_log(logger: logging.Logger, *args: object, **options: object) -> None:
    try:
        raise ValueError("the secret")
    except ValueError:
        logger.exception(*args, **options)


def test_record_is_a_line_with_its_level_in_lower_case(logger, job):
    logger.warning("%d rows are bad", 3)
    assert read_log(job) == [("warning", "3 rows are bad")]


def test_record_of_several_lines_is_as_many(logger, job):
    logger.info("one\ntwo")
    assert read_log(job) == [("info", "one"), ("info", "two")]


def test_record_is_formatted_as_the_handler_says(logger, job):
    logger.handlers[0].setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logger.info("Hello")
    assert read_log(job) == [("info", "shop: Hello")]


def test_record_below_the_level_of_the_handler_is_left_out(logger, job):
    logger.handlers[0].setLevel("ERROR")
    logger.warning("no")
    logger.error("yes")
    assert read_log(job) == [("error", "yes")]


def test_record_outside_a_task_is_left_out(logger, job):
    bind(None)
    logger.warning("nobody runs")
    assert read_log(job) == []


async def test_record_goes_to_the_task_of_its_coroutine(logger):
    async def work(name: str) -> str:
        async with task_run(name) as task:
            await asyncio.sleep(0)
            logger.info(name)
        return task.task_id

    task_ids = await asyncio.gather(*map(work, "ab"))
    assert await asyncio.to_thread(get_flusher().drain, DEADLINE)
    assert [read_stored_log(task_id) for task_id in task_ids] == [["a"], ["b"]]


@pytest.mark.parametrize("name", ["tasks_app", "tasks_app.anything"])
def test_record_of_this_app_is_left_out(logger, job, name):
    """Else what goes wrong with a log would be logged in it."""
    own = logging.getLogger(name)
    own.addHandler(logger.handlers[0])
    own.error("no")
    own.removeHandler(logger.handlers[0])
    assert read_log(job) == []


def test_logger_whose_name_begins_alike_is_another(logger, job):
    other = logging.getLogger("tasks_apple")
    other.addHandler(logger.handlers[0])
    other.error("yes")
    other.removeHandler(logger.handlers[0])
    assert read_log(job) == [("error", "yes")]


def test_record_that_cannot_be_formatted_does_not_stop_the_job(logger, job, capsys, monkeypatch):
    monkeypatch.setattr(logger, "propagate", False)  # pytest's own handler raises
    logger.info("%d", "no number")
    logger.info("Going on")
    assert read_log(job) == [("info", "Going on")]
    assert "--- Logging error ---" in capsys.readouterr().err


# What viewers may not see


@pytest.mark.parametrize("exposes", [True, False])
def test_traceback_is_shown_only_where_errors_are_exposed(logger, job, settings, exposes):
    settings.TASKS_APP = {**settings.TASKS_APP, "EXPOSE_ERRORS": exposes}
    raise_and_log(logger, "It failed")
    lines = [text for _, text in read_log(job)]
    assert lines[0] == "It failed"
    assert ("ValueError: the secret" in lines) == exposes
    assert (len(lines) > 1) == exposes


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        (("It failed: %s", ValueError("the secret")), "It failed: ValueError"),
        (("It failed: %r", ValueError("the secret")), "It failed: 'ValueError'"),
        (("It failed: %(error)s", {"error": ValueError("the secret")}), "It failed: ValueError"),
        ((ValueError("the secret"),), "ValueError"),
        (("%d rows, then %s", 3, KeyError("the secret")), "3 rows, then KeyError"),
    ],
)
@pytest.mark.parametrize("exposes", [True, False])
def test_exception_is_shown_as_its_type_unless_errors_are_exposed(logger, job, settings, args, shown, exposes):
    settings.TASKS_APP = {**settings.TASKS_APP, "EXPOSE_ERRORS": exposes}
    logger.error(*args)
    ((_, text),) = read_log(job)
    assert ("the secret" in text) == exposes
    assert exposes or text == shown


SECRET = ValueError("the secret")


class Row:
    """Shows what it holds."""

    def __init__(self, **values: object) -> None:
        self.__dict__.update(values)

    def __repr__(self) -> str:
        return f"Row({vars(self)})"


USER = User(pk=7, username="ada")


class Slotted:
    __slots__ = ("error",)

    def __init__(self, error: object) -> None:
        self.error = error

    def __str__(self) -> str:
        return f"Slotted({self.error})"


class Pair(NamedTuple):
    row: int
    error: object


def make_failed() -> futures.Future[None]:
    future = futures.Future[None]()
    future.set_exception(SECRET)
    return future


NESTED = [
    ([SECRET], "['ValueError']"),
    ((SECRET, 2), "('ValueError', 2)"),
    ({SECRET}, "['ValueError']"),
    (deque([SECRET]), "['ValueError']"),
    ({"row 3": [{"why": SECRET}]}, "{'row 3': [{'why': 'ValueError'}]}"),
    ({SECRET: 3}, "{'ValueError': 3}"),
    (Pair(3, SECRET), "(3, 'ValueError')"),
    (ExceptionGroup("the secret", [SECRET]), "ExceptionGroup"),
    ([TracebackException.from_exception(SECRET)], "['TracebackException']"),
    (Row(error=SECRET), "Row"),
    (Row(rows=[Row(error=SECRET)]), "Row"),
    (Slotted(SECRET), "Slotted"),
    (partial(print, SECRET), "partial"),
    ([make_failed()], "['Future']"),
    ({"a": 1}.values(), "dict_values([1])"),
    ({"a": SECRET}.values(), "dict_values"),
]


@pytest.mark.parametrize(("value", "shown"), NESTED)
def test_exception_in_an_argument_is_shown_as_its_type(logger, job, value, shown):
    logger.error("Row %d: %s", 3, value)
    assert read_log(job) == [("error", f"Row 3: {shown}")]


@pytest.mark.parametrize(("value", "shown"), NESTED[3:])
def test_exception_in_a_message_is_shown_as_its_type(logger, job, value, shown):
    logger.error(value)
    assert read_log(job) == [("error", shown)]


def test_exception_in_an_extra_value_is_shown_as_its_type(logger, job):
    logger.handlers[0].setFormatter(logging.Formatter("%(message)s %(why)s"))
    logger.error("It failed:", extra={"why": [SECRET]})
    assert read_log(job) == [("error", "It failed: ['ValueError']")]


def test_list_that_contains_itself_is_shown_without_its_exception(logger, job):
    value: list[object] = [SECRET]
    value.append(value)
    logger.error("%s", value)
    assert "the secret" not in str(read_log(job))


@pytest.mark.parametrize(
    "value",
    [[1, "a", None, 2.5], {"a": {"b": {1, 2}}}, Row(a=1, b=[Row()]), Decimal("1.5"), date(2026, 1, 31), Path()],
)
def test_what_holds_no_exception_is_shown_as_it_is(logger, job, value):
    logger.error("%s", value)
    assert read_log(job) == [("error", str(value))]


def test_lazy_object_is_not_loaded_by_the_search(logger, job):
    logger.error("%d", 3, extra={"user": SimpleLazyObject(lambda: pytest.fail("it was loaded"))})
    assert read_log(job) == [("error", "3")]


def test_value_that_holds_too_much_to_look_through_is_shown_as_its_type(logger, job):
    logger.error("%s", Row(rows=[object() for _ in range(10_000)]))
    assert read_log(job) == [("error", "Row")]


def test_stack_and_traceback_that_another_handler_has_formatted_are_left_out(logger, job):
    other = logging.StreamHandler()
    logger.handlers.insert(0, other)
    raise_and_log(logger, "It failed", stack_info=True)
    logger.removeHandler(other)
    assert read_log(job) == [("error", "It failed")]


def test_other_handlers_get_the_record_as_it_is(logger, job, caplog):
    raise_and_log(logger, "It failed: %s", error := ValueError("the secret"))
    (record,) = caplog.records
    assert record.args == (error,)
    assert record.exc_info is not None


def test_handler_can_be_named_in_the_settings(tmp_path):
    """They are read before the apps are ready."""
    handlers = {"task": {"class": "tasks_app.LogHandler"}}
    logging_settings = {"version": 1, "handlers": handlers, "root": {"handlers": ["task"]}}
    (tmp_path / "logging_settings.py").write_text(
        f"from tests.support.settings import *\nLOGGING = {logging_settings!r}\n"
    )
    code = "import django, logging; django.setup(); print(type(logging.getLogger().handlers[0]).__name__)"
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "logging_settings", "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-W", "error", "-c", code]
    run = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr) == ("LogHandler\n", "")
