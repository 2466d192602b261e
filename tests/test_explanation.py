"""The pictures and formulas of the documents agree with the code, and with their own figures."""

import re

import pytest

from tests.support.readme import find_block
from tests.support.servers import ROOT

SIZING = "docs/explanation/sizing.md"

#: What the picture of the rooms shows beside them.
OUTSIDE = {"job", "viewer", "site", "frames", "Django's cache"}


def test_picture_of_the_rooms_names_rooms_that_exist():
    picture = find_block("text", "reporting", document="docs/explanation/rooms.md")
    named = {word.strip("() ") for word in re.split(r"[^\w' ()]+|, |  ", picture)} - {""}
    assert {name for name in named - OUTSIDE if not (ROOT / "tasks_app" / name / "__init__.py").exists()} == set()
    assert named > OUTSIDE


#: The model's figures in seconds, kilobytes and parts of a core, of a million viewers as the document has them.
FIGURES = {"base": 0.027, "change": 206e-6, "frame": 19e-6, "viewer": 17, "reads": 0.11, "writes": 10}
MILLION = {"N": 1_000_000, "M": 1000, "R": 1, "P": 100}


@pytest.mark.parametrize(
    ("quantity", "row"),
    [
        ("CPU of a web process", r"\| CPU of each: .* \| ([\d.]+) of a core"),
        ("memory of a web process", r"\| memory of each, .* \| (\d+) MB"),
        ("wake-up messages", r"\| wake-up messages sent .* \| (\d+)"),
        ("requests to the store", r"\| requests to the store a second \| ([\d,]+)"),
    ],
)
def test_formula_gives_what_the_document_says_of_a_million_viewers(quantity: str, row: str):
    found = re.search(row, (ROOT / SIZING).read_text(encoding="utf-8"))
    assert found is not None
    thousands = 1000 if quantity.startswith("memory") else 1
    assert float(found[1].replace(",", "")) * thousands == pytest.approx(calculate(quantity), rel=0.03)


def calculate(quantity: str) -> float:
    """Return a quantity by its formula in the document."""
    formulas = dict(line.split("=") for line in find_block("text", "writes · 64", document=SIZING).splitlines())
    formula = next(text for name, text in formulas.items() if name.strip() == quantity)
    formula = formula.partition("   (")[0].partition("  (")[0].replace("what it has at rest", "0").replace("^", "**")
    messages = 0 if "messages" not in formula else calculate("wake-up messages")
    return float(
        eval(formula.replace("·", "*").replace("\N{MINUS SIGN}", "-"), {**FIGURES, **MILLION, "messages": messages})
    )
