"""Made-up customers for the import, the same ones for the same seed. Pure."""

import csv
import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import NamedTuple, TextIO

HEADER = ("Name", "Email", "Amount", "Joined", "Note")

BAD_SHARE = 0.01

_FIRST_NAMES = ("Ada", "Björn", "Chloé", "Dao", "Emeka", "Farah", "Grace", "Hiro", "Inés", "Jamal", "Kaia", "李")
_LAST_NAMES = ("Abara", "Bakker", "Costa", "D'Angelo", "Eriksen", "Fujita", "García, Jr.", "Haddad", 'Ito "Ed"')
_NOTES = ("", "", "", "called back", "prefers e-mail, not phone", "moved\nsee the new address")
_FIRST_DAY = date(2015, 1, 1)

Values = list[str]


class Sample(NamedTuple):
    """The values of a row, in the order of HEADER, and whether an import must skip it."""

    values: Values
    is_bad: bool


def write_samples(file: TextIO, rows: int, seed: int) -> int:
    """Write `rows` customers as CSV and return how many of them are bad."""
    bad = 0
    writer = csv.writer(file)
    writer.writerow(HEADER)
    for sample in make_samples(rows, seed):
        writer.writerow(sample.values)
        bad += sample.is_bad
    return bad


def make_samples(rows: int, seed: int) -> Iterator[Sample]:
    """Yield `rows` customers, about 1 % of them bad."""
    draw = random.Random(seed)
    for number in range(1, rows + 1):
        values = _make_values(number, draw)
        is_bad = draw.random() < BAD_SHARE
        if is_bad:
            values = draw.choice(SPOILERS)(values)
        yield Sample(values, is_bad)


def _make_values(number: int, draw: random.Random) -> Values:
    first, last = draw.choice(_FIRST_NAMES), draw.choice(_LAST_NAMES)
    return [
        f"{first} {last}",
        f"customer{number}@example.com",
        f"{draw.randrange(-5_000, 1_000_000) / 100:.2f}",
        (_FIRST_DAY + timedelta(days=draw.randrange(3650))).isoformat(),
        draw.choice(_NOTES),
    ]


def _replace(position: int, change: Callable[[str], str]) -> Callable[[Values], Values]:
    return lambda values: [*values[:position], change(values[position]), *values[position + 1 :]]


#: Common mistakes; each makes a row that an import must skip.
SPOILERS: tuple[Callable[[Values], Values], ...] = (
    _replace(0, lambda name: " "),
    _replace(0, lambda name: name * 20),
    _replace(1, lambda email: ""),
    _replace(1, lambda email: email.replace("@", " at ")),
    _replace(2, lambda amount: f"{amount} EUR"),
    _replace(2, lambda amount: "NaN"),
    _replace(2, lambda amount: amount + "5"),
    _replace(3, lambda day: day.replace("-", "/")),
    _replace(3, lambda day: f"{day[:4]}-02-30"),
    lambda values: values[:2],
)
