"""The code blocks of README and of the documents, for the tests that run them."""

import re
from dataclasses import dataclass
from functools import cache

import django

from tests.support.servers import ROOT

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _find_documents() -> list[str]:
    folders = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
    folders = [folder for folder in folders if not (folder / "pyvenv.cfg").exists()]  # an environment of packages
    found = [*ROOT.glob("*.md"), *(path for folder in folders for path in folder.rglob("*.md"))]
    return sorted(str(path.relative_to(ROOT)) for path in found)


#: All documents of the project, by their paths in it.
DOCUMENTS = _find_documents()


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
