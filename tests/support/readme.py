"""The code blocks of README and of the documents, for the tests that run them."""

import re
from dataclasses import dataclass
from functools import cache

import django

from tests.support.servers import ROOT

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


#: README and those beside it, and the documents that they lead to, by their paths in the project.
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))),
]


@dataclass(frozen=True)
class Block:
    """A code block of a document."""

    document: str
    language: str
    code: str


def find_block(language: str, containing: str, *, document: str | None = None) -> str:
    """Return the code block in `language` that contains a text, as this Django wants it.

    It may stand in README and in a document, but only in the same words. By the calls in the tests,
    `tests/test_blocks.py` knows which blocks are run, so the arguments must be literals or constants.
    """
    (block,) = {item.code for item in match_blocks(language, containing, document)}
    if django.VERSION < (6,):
        # As the comment in the block says.
        block = block.replace("from django.tasks import task", "from django_tasks import task")
    return block


def match_blocks(language: str, containing: str, document: str | None) -> set[Block]:
    """Return the code blocks in `language` that contain a text, in one document or in all."""
    return {
        block
        for block in list_blocks()
        if (block.language, block.document) == (language, document or block.document) and containing in block.code
    }


@cache
def list_blocks() -> list[Block]:
    """Return the code blocks of all documents."""
    return [
        Block(document, language, code)
        for document in DOCUMENTS
        for language, code in _BLOCK.findall((ROOT / document).read_text(encoding="utf-8"))
    ]
