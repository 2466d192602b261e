"""What the documents say of security names tests that exist."""

import ast
import re

import pytest

from tests.support.readme import DOCUMENTS
from tests.support.servers import ROOT

_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_LINK = re.compile(r"\]\((?!http)([^)#]+)")


def find_functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_promise_names_tests_that_exist():
    named = _TEST.findall((ROOT / "docs/security.md").read_text())
    missing = [f"{path}::{name}" for path, name in named if name and name not in find_functions(path)]
    assert (missing, len(named) > 20) == ([], True)


def test_no_promise_is_without_a_test():
    text = (ROOT / "docs/security.md").read_text()
    table = text.partition("## Promises")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert [row for row in rows if not _TEST.search(row)] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str):
    folder = (ROOT / document).parent
    links = _LINK.findall((ROOT / document).read_text())
    assert [link for link in links if not (folder / link).exists()] == []
