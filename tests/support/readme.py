"""The code blocks of README and of the documents, for the tests that run them."""

import re

import django

from tests.support.servers import ROOT

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


#: README, and the documents that it leads to, by their paths in the project.
DOCUMENTS = ["README.md", *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md")))]


def find_block(language: str, containing: str, *, document: str | None = None) -> str:
    """Return the code block in `language` that contains a text, as this Django wants it.

    It may stand in README and in a document, but only in the same words.
    """
    documents = DOCUMENTS if document is None else [document]
    (block,) = {code for item in documents for code in find_blocks(language, item) if containing in code}
    if django.VERSION < (6,):
        # As the comment in the block says.
        block = block.replace("from django.tasks import task", "from django_tasks import task")
    return block


def find_blocks(language: str, document: str) -> list[str]:
    """Return the code blocks in `language` of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [code for kind, code in _BLOCK.findall(text) if kind == language]


def count_blocks(language: str) -> int:
    """Return the number of different code blocks in `language`."""
    return len({code for document in DOCUMENTS for code in find_blocks(language, document)})
