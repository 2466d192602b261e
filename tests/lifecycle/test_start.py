"""What may be started, with which arguments, and what becomes of it."""

from typing import TYPE_CHECKING, Any, Literal, Optional

import pytest
from django.contrib.auth.models import AnonymousUser, User

from tasks_app import (
    InvalidArguments,
    UnknownTask,
    aget_snapshot,
    astart,
    get_snapshot,
    start,
    task_run,
)
from tasks_app.lifecycle.names import resolve
from tasks_app.lifecycle.signatures import check_arguments
from tasks_app.lifecycle.start import astart_named
from tasks_app.reporting.process import get_flusher
from tasks_app.snapshot import ANYONE
from tasks_app.snapshot.history import History, Run
from tasks_app.store.histories import keep_histories
from tests.support import jobs
from tests.support.viewers import until
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from decimal import Decimal

task = jobs.task


@task
def take_int(value: int) -> None: ...


@task
def take_float(value: float) -> None: ...


@task
def take_bool(value: bool) -> None: ...


@task
def take_text(value: str) -> None: ...


@task
def take_text_or_nothing(value: str | None = None) -> None: ...


@task
def take_optional(value: Optional[int] = None) -> None: ...  # noqa: UP045 - the old spelling counts, too


@task
def take_list(value: list[int]) -> None: ...


@task
def take_dict(value: dict[str, Any]) -> None: ...


@task
def take_any(value: Any) -> None: ...


@task
def take_unannotated(value) -> None: ...


@task
def take_literal(value: Literal["a", "b"]) -> None: ...


@task
def take_unknown_annotation(value: "Decimal") -> None: ...


@task
def take_prose(value: "path of the file", number: int = 0) -> None: ...  # noqa: F722


@task
def take_broken_expression(value: "1 / 0", number: int = 0) -> None: ...


@task
def take_missing_attribute(value: "pytest.Nothing", number: int = 0) -> None: ...


@task
def take_schema(value: {"type": "string"}, number: int = 0) -> None: ...  # type: ignore[valid-type]  # noqa: F821


@task
def take_one_of(value: [int, str], number: int = 0) -> None: ...  # type: ignore[valid-type]


NO_TYPES = [take_prose, take_broken_expression, take_missing_attribute, take_schema, take_one_of]
UNREADABLE = [take_unknown_annotation, *NO_TYPES]


@task
def take_keywords(first: int, **others: Any) -> dict[str, Any]:
    return {"first": first, **others}


@task
def take_positional_only(value: int, /) -> None: ...


@task
def take_keyword_only(*, value: int, other: int = 0) -> None: ...


@task
def take_nothing() -> None: ...


@task(takes_context=True)
def take_context(context: Any, value: int) -> None: ...


@task(takes_context=True)
def take_context_and_keywords(context: Any, **others: Any) -> None: ...


@pytest.mark.parametrize(
    ("job", "value"),
    [
        (take_int, 1),
        (take_int, 10**400),
        (take_float, 1.5),
        (take_float, 1),
        (take_bool, True),
        (take_text, ""),
        (take_text_or_nothing, None),
        (take_text_or_nothing, "x"),
        (take_optional, None),
        (take_optional, 3),
        (take_list, [1]),
        (take_list, ["what is in it is not looked at"]),
        (take_dict, {"a": 1}),
        (take_any, {"a": [None]}),
        (take_unannotated, [1]),
        (take_literal, "what a plain type is not, is not checked"),
        *[(job, 1) for job in UNREADABLE],
        (take_keyword_only, 1),
        (take_context, 1),
    ],
)
def test_value_that_fits_is_accepted(job, value):
    check_arguments(job, {"value": value})


@pytest.mark.parametrize("job", NO_TYPES)
def test_argument_beside_one_whose_annotation_is_no_type_is_checked(job):
    with pytest.raises(InvalidArguments, match="argument 'number' must be int, not 'x'"):
        check_arguments(job, {"value": 1, "number": "x"})


@pytest.mark.parametrize(
    ("job", "value", "wanted"),
    [
        (take_int, True, "int, not True"),
        (take_int, 1.0, "int, not 1.0"),
        (take_int, "1", "int, not '1'"),
        (take_int, None, "int, not None"),
        (take_float, True, "float, not True"),
        (take_float, "1.5", "float, not '1.5'"),
        (take_bool, 1, "bool, not 1"),
        (take_text, 1, "str, not 1"),
        (take_text_or_nothing, 1, "null or str, not 1"),
        (take_optional, "1", "int or null, not '1'"),
        (take_list, {"a": 1}, "list, not {'a': 1}"),
        (take_list, "abc", "list, not 'abc'"),
        (take_dict, [1], r"dict, not \[1\]"),
        (take_keyword_only, "x", "int, not 'x'"),
        (take_context, "x", "int, not 'x'"),
        (take_keywords, 1, None),
    ],
)
def test_value_of_another_type_is_refused_by_name(job, value, wanted):
    name = "value" if wanted else "first"
    wanted = wanted or "int, not 'x'"
    with pytest.raises(InvalidArguments, match=f"^argument '{name}' must be {wanted}$"):
        check_arguments(job, {"value": value} if name == "value" else {"first": "x"})


def test_missing_argument_is_named():
    with pytest.raises(InvalidArguments, match=r"^missing argument 'value'$"):
        check_arguments(take_int, {})


def test_unexpected_argument_is_named_with_those_allowed():
    with pytest.raises(InvalidArguments, match=r"^unexpected argument 'vlaue'; allowed: \['other', 'value'\]$"):
        check_arguments(take_keyword_only, {"value": 1, "vlaue": 2})


@pytest.mark.parametrize("name", ["value", "context", "self", "*", "", "\n", "🙂"])
def test_task_without_parameters_takes_none(name):
    with pytest.raises(InvalidArguments, match="unexpected argument"):
        check_arguments(take_nothing, {name: 1})


def test_keywords_take_any_name():
    check_arguments(take_keywords, {"first": 1, "anything": [1], "else": None})


def test_positional_only_parameter_can_not_be_given_by_name():
    with pytest.raises(InvalidArguments, match="unexpected argument 'value'"):
        check_arguments(take_positional_only, {"value": 1})


def test_context_is_no_argument():
    with pytest.raises(InvalidArguments, match="unexpected argument 'context'"):
        check_arguments(take_context, {"value": 1, "context": {}})


@pytest.mark.parametrize("name", ["self", "context"])
def test_name_that_the_framework_needs_is_refused_even_among_keywords(name):
    with pytest.raises(InvalidArguments, match=f"unexpected argument '{name}'"):
        check_arguments(take_context_and_keywords, {name: 1})


async def test_keyword_self_does_not_break_the_start(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "STARTABLE": {"count": f"{__name__}.take_keywords"}}
    with pytest.raises(InvalidArguments, match="unexpected argument 'self'"):
        await astart_named("count", {"first": 1, "self": 2}, owner=None)


# Names


def test_name_leads_to_its_task():
    assert resolve("add") is jobs.add


def test_unknown_name_is_told():
    with pytest.raises(UnknownTask, match="nobody"):
        resolve("nobody")


@pytest.mark.parametrize(
    "path", ["tests.support.jobs.gate", "tests.support.jobs.nothing", "no_such_module.task", "nodots", "os.path"]
)
def test_path_that_leads_to_no_task_is_an_error(settings, path):
    settings.TASKS_APP = {**settings.TASKS_APP, "STARTABLE": {"odd": path}, "DEFAULT_TASK": None}
    with pytest.raises((ImportError, TypeError)):
        resolve("odd")


def test_changed_settings_are_seen(settings):
    resolve("add")
    settings.TASKS_APP = {**settings.TASKS_APP, "STARTABLE": {"add": "tests.support.jobs.count"}, "DEFAULT_TASK": None}
    assert resolve("add") is jobs.count


# start


def wait_for_end(task_id: str) -> None:
    wait_until(lambda: get_snapshot(task_id).is_terminal, "the task ended")


def test_start_stores_the_queued_snapshot_before_it_returns(open_gate):
    task_id = start(jobs.wait)
    snapshot = get_snapshot(task_id)
    assert (snapshot.task_id, snapshot.task) == (task_id, "tests.support.jobs.wait")
    open_gate()


def test_start_passes_arguments_on():
    task_id = start(jobs.add, 1, b=2)
    wait_for_end(task_id)
    assert get_snapshot(task_id).result == 3


async def test_astart_does_what_start_does():
    task_id = await astart(jobs.add, 1, b=2, owner=7)
    await until(lambda: get_snapshot(task_id).is_terminal, "the task ended")
    snapshot = await aget_snapshot(task_id)
    assert (snapshot.result, snapshot.owner) == (3, "7")


async def test_named_start_shows_the_name():
    task_id = await astart_named("add", {"a": 1}, owner="7")
    await until(lambda: get_snapshot(task_id).is_terminal, "the task ended")
    snapshot = await aget_snapshot(task_id)
    assert (snapshot.task, snapshot.result, snapshot.owner) == ("add", 2, "7")


async def test_named_start_checks_the_arguments():
    with pytest.raises(InvalidArguments, match="missing argument 'a'"):
        await astart_named("add", {}, owner=None)


@pytest.mark.parametrize(("owner", "stored"), [(None, None), (7, "7"), ("7", "7"), (User(pk=7), "7"), (0, "0")])
def test_owner_is_stored_as_text(owner, stored):
    task_id = start(jobs.add, 1, owner=owner)
    assert get_snapshot(task_id).owner == stored
    wait_for_end(task_id)


@pytest.mark.parametrize("owner", [AnonymousUser(), User(), object(), 1.5])
def test_owner_who_can_not_be_told_apart_is_refused(settings, owner):
    settings.TASKS_APP = {**settings.TASKS_APP, "ALLOW_ANONYMOUS_START": False}
    with pytest.raises(ValueError, match="owner must be"):
        start(jobs.add, 1, owner=owner)


def test_visitor_who_may_not_start_tasks_is_asked_to_log_in(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "ALLOW_ANONYMOUS_START": False}
    with pytest.raises(ValueError, match=r"not .*AnonymousUser.*@login_required"):
        start(jobs.add, 1, owner=AnonymousUser())


def test_task_of_a_visitor_is_open_where_visitors_may_start_tasks():
    task_id = start(jobs.add, 1, owner=AnonymousUser())
    wait_for_end(task_id)
    assert get_snapshot(task_id).owner == ANYONE


def test_job_that_starts_a_task_gives_it_its_owner():
    with task_run("outer", owner=7):
        inner, other = start(jobs.add, 1), start(jobs.add, 1, owner=8)
    for task_id in (inner, other):
        wait_for_end(task_id)
    assert [get_snapshot(task_id).owner for task_id in (inner, other)] == ["7", "8"]


def test_task_that_a_visitors_job_starts_is_open_as_well():
    with task_run("outer", owner=AnonymousUser()):
        inner = jobs.add.enqueue(1).id
    wait_for_end(inner)
    assert get_snapshot(inner).owner == ANYONE


def test_fourth_run_is_told_how_long_the_others_took():
    for _ in range(3):
        wait_for_end(start(jobs.add, 1))
    task_id = start(jobs.add, 1)
    took = [item.seconds for item in get_flusher().backlog.histories.find(jobs.add.module_path, monotonic=0).runs[:3]]
    assert get_snapshot(task_id).expected == sorted(took)[1]
    wait_for_end(task_id)


def test_task_of_another_process_is_told_how_long_earlier_ones_took():
    keep_histories({jobs.wait.module_path: History((Run(60.0),) * 3)})
    assert get_snapshot(start(jobs.wait)).expected == 60
    jobs.gate.set()
