"""The arguments of a job as staff may see them: named, cut, without secrets, and without running code of theirs."""

import datetime
import functools
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings

from tasks_app.reporting.arguments import (
    MASK,
    MAX_ARGUMENTS,
    MAX_TEXT_LENGTH,
    MAX_VALUE_LENGTH,
    Call,
    describe_call,
)


def send(path: str, /, size: int = 1, *rows: object, api_key: str = "", **options: object) -> None:
    pass


def describe(*args: Any, **kwargs: Any) -> dict[str, str]:
    return dict(describe_call(Call(send, args, kwargs)))


def describe_one(value: object) -> str:
    return describe(value)["path"]


class Watched:
    """A value whose own code must not run."""

    def __repr__(self) -> str:
        raise AssertionError("code of an argument was called")

    __str__ = __repr__


class LoudText(str):
    """A text with code of its own."""

    __repr__ = Watched.__repr__


def test_arguments_have_the_names_of_their_parameters():
    assert describe("/a.csv", 3, size=4) == {"path": "'/a.csv'", "size": "4"}
    assert describe_call(Call(send, ("/a", 3, "x", "y"), {"limit": 5})) == (
        ("path", "'/a'"),
        ("size", "3"),
        ("*rows", "'x'"),
        ("*rows", "'y'"),
        ("limit", "5"),
    )


def test_context_that_a_framework_passes_is_none_of_them():
    assert describe_call(Call(send, (7,), {}, takes_context=True)) == (("size", "7"),)


def test_argument_of_a_function_without_a_signature_has_no_name():
    assert describe_call(Call(functools.partial, (1,), {"n": 2}))[-1] == ("n", "2")
    assert describe_call(Call(type, ("a", "b"), {})) == (("", "'a'"), ("", "'b'"))


@pytest.mark.parametrize("name", ["password", "API_KEY", "apiKey", "access_token", "Session_Id", "client_secret"])
def test_secret_is_masked_by_its_name_wherever_it_stands(name):
    assert describe(**{name: "s3cret"}) == {name: MASK}
    assert describe_one({name: "s3cret"}) == f"{{{name!r}: {MASK}}}"
    assert "s3cret" not in describe_one([({name: ["s3cret"]},)])


@pytest.mark.parametrize(
    "value",
    [("Session-Id", "s3cret"), [["X-Api-Key", "s3cret"]], {b"password": "s3cret"}, {LoudText("password"): "s3cret"}],
)
def test_secret_is_masked_in_pairs_and_by_names_of_other_types(value):
    shown = describe_one(value)
    assert MASK in shown
    assert "s3cret" not in shown


def test_secret_is_masked_where_it_is_passed_by_position():
    def connect(host: str, password: str) -> None:
        pass

    assert dict(describe_call(Call(connect, ("db", "s3cret"), {}))) == {"host": "'db'", "password": MASK}


@override_settings(TASKS_APP={"HIDDEN_ARGUMENTS": "^iban$"})
def test_site_says_what_is_masked():
    assert describe(iban="DE", password="open") == {"iban": MASK, "password": "'open'"}


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        -1.5,
        1j,
        "text",
        b"bytes",
        Decimal("1.50"),
        uuid.UUID(int=7),
        datetime.date(2026, 1, 31),
        datetime.timedelta(seconds=5),
        [1, [2, (3,)]],
        (),
        {"rows": [1, 2]},
        {1},
        frozenset({1}),
    ],
)
def test_plain_value_is_shown_as_python_writes_it(value):
    assert describe_one(value) == repr(value)


@pytest.mark.parametrize("value", [Watched(), [Watched()], {"a": Watched()}, {Watched(): 1}, LoudText("x")])
def test_code_of_a_value_is_not_called(value):
    assert "<tests.reporting.test_arguments." in describe_one(value)


def test_long_text_is_cut():
    assert describe_one("x" * 10**6) == repr("x" * MAX_TEXT_LENGTH) + "…"
    assert len(describe_one(["x" * 100] * 10)) == MAX_VALUE_LENGTH + 1


def test_long_container_is_cut():
    assert describe_one(list(range(10**6))) == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …]"


def test_container_that_holds_itself_ends():
    endless: list[Any] = []
    endless.append(endless)
    assert describe_one(endless) == "[[[[…]]]]"


def test_huge_number_is_named_by_its_size():
    assert describe_one(10**10_000) == "<int of 33220 bits>"


def test_text_that_no_page_could_carry_is_mended():
    assert describe_one("\udcff") == repr("\udcff")
    assert describe(**{"a\udcff": 1}) == {"a\ufffd": "1"}


def test_many_arguments_are_cut():
    assert len(describe("p", 1, *range(1000))) <= MAX_ARGUMENTS
    assert len(describe_call(Call(send, range(1000), {}))) == MAX_ARGUMENTS
