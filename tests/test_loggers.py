"""The log of this app: one logger, whose lines about a task carry its id."""

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks_app import TaskIdFilter, task_run
from tasks_app.utils.threads import ThreadPool
from tests.support.servers import ROOT
from tests.support.waiting import wait_until

MODULES = sorted((ROOT / "tasks_app").rglob("*.py"))

#: A part of a message that is the id of one task.
ONE_TASK = re.compile(r"\btask %s", re.IGNORECASE)


def find_lines(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Yield each line that a module logs: where it stands, and the call."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logger."):
            yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def is_about_one_task(call: ast.Call) -> bool:
    return isinstance(call.args[0], ast.Constant) and ONE_TASK.search(call.args[0].value) is not None


def has_id(call: ast.Call) -> bool:
    return any(word.arg == "extra" and "'task_id':" in ast.unparse(word.value) for word in call.keywords)


def test_every_line_about_a_task_carries_its_id():
    lines = [item for path in MODULES for item in find_lines(path) if is_about_one_task(item[1])]
    assert (len(lines) > 30, [place for place, call in lines if not has_id(call)]) == (True, [])


def test_all_modules_share_the_logger_that_is_documented():
    found = {
        name for path in MODULES for name in re.findall(r'^logger = .*getLogger\("(.*)"\)', path.read_text(), re.M)
    }
    text = (ROOT / "docs/reference/loggers.md").read_text()
    assert (found, "`tasks_app`" in text) == ({"tasks_app"}, True)


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What a handler with the filter prints, of all loggers."""
    printed: list[str] = []

    class Printer(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            printed.append(self.format(record))

    handler = Printer()
    handler.addFilter(TaskIdFilter())
    handler.setFormatter(logging.Formatter("%(task_id)s %(message)s"))
    logging.getLogger().addHandler(handler)
    yield printed
    logging.getLogger().removeHandler(handler)


def test_line_of_a_job_carries_the_id_of_its_task(lines: list[str]):
    with task_run("demo") as progress:
        logging.getLogger("shop").warning("out of stock")
    assert f"{progress.task_id} out of stock" in lines


def test_line_outside_of_a_task_has_a_dash_for_its_id(lines: list[str]):
    logging.getLogger("shop").warning("out of stock")
    assert "- out of stock" in lines


def test_line_of_this_app_carries_the_id_of_the_task_that_it_is_about(lines: list[str]):
    def break_down() -> None:
        raise RuntimeError

    ThreadPool(1, "demo").submit("t1", break_down)
    wait_until(lambda: any(line.startswith("t1 task t1: its executor failed") for line in lines), "it is logged")
