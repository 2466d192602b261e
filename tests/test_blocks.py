"""Every code block of README and of the documents is taken by a test that runs it, in whatever language it is."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.readme import DOCUMENTS, Block, list_blocks, match_blocks
from tests.support.servers import ROOT


def find_calls() -> Iterator[tuple[Path, ast.Call, ast.Module]]:
    """Yield the calls by which tests, and what they share, take a block."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if "find_block" in (text := path.read_text(encoding="utf-8")):
            tree = ast.parse(text)
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "find_block":
                    yield path, node, tree


@cache
def find_taken() -> set[Block]:
    """Return the blocks that are taken; a call whose arguments can't be read takes none."""
    taken: set[Block] = set()
    for path, call, tree in find_calls():
        constants = read_constants(tree)
        language, containing = (read(argument, constants, path) for argument in call.args)
        document = next((read(item.value, constants, path) for item in call.keywords), None)
        taken |= match_blocks(language, containing, document)
    return taken


def read_constants(tree: ast.Module) -> dict[str, str]:
    """Return the texts that a module gives names to."""
    return {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def read(node: ast.expr, constants: dict[str, str], path: Path) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.Name), f"{path}:{node.lineno}: {ast.unparse(node)} is no literal"
    assert node.id in constants, f"{path}:{node.lineno}: {node.id} is no constant of the module"
    return constants[node.id]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_block_of_a_document_is_taken_by_a_test(document: str):
    left = [block for block in list_blocks() if block.document == document and block not in find_taken()]
    assert left == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_all_code_of_a_document_stands_in_blocks_that_name_their_language(document: str):
    text = (ROOT / document).read_text(encoding="utf-8")
    prose = re.sub(r"^```\w+\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    odd = re.findall(r"^[ >]*(?:```|~~~).*|(?<=\n\n) {4,}.*|<pre.*", prose, re.MULTILINE)
    assert odd == []
