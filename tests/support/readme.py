"""The code blocks of README and of the documents, for the tests that run them."""

import re

import django

from tests.support.servers import ROOT

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def find_block(language: str, containing: str, *, document: str = "README.md") -> str:
    """Return the one code block in `language` that contains a text, as this Django wants it."""
    text = (ROOT / document).read_text(encoding="utf-8")
    (block,) = [code for kind, code in _BLOCK.findall(text) if kind == language and containing in code]
    if django.VERSION < (6,):
        # As the comment in the block says.
        block = block.replace("from django.tasks import task", "from django_tasks import task")
    return str(block)


def count_blocks(language: str) -> int:
    """Return how many code blocks there are in `language`."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return sum(kind == language for kind, _ in _BLOCK.findall(text))
