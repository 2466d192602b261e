"""Cells that a spreadsheet program would run as formulas. Pure."""

import re

_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")  # the latter four are full-width


def quote_formula(text: str) -> str:
    """Return a cell as text for spreadsheet programs: one that they may take for a formula gets an apostrophe."""
    return f"'{text}" if _FORMULA.match(text) else text


def unquote_formula(text: str) -> str:
    """Return a cell without the apostrophe by which it is text for spreadsheet programs."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text, 1) else text
