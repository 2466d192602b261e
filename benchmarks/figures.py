"""The table: each figure beside what it is compared with in the same run."""

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    what: str
    value: float
    unit: str
    against: str = ""
    other: float | None = None

    def __str__(self) -> str:
        if self.other is None:
            return f"| {self.what} | {show(self.value)} {self.unit} | | | |"
        ratio = show(self.value / self.other) if self.other else "-"
        return f"| {self.what} | {show(self.value)} {self.unit} | {self.against} | {show(self.other)} | {ratio} |"


def show(value: float) -> str:
    """Return a number as people read it: three digits that matter."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def print_table(figures: Iterable[Figure]) -> None:
    """Print a Markdown table, each line as soon as it is known."""
    print("| | figure | compared with | its figure | ratio |\n|---|---|---|---|---|")
    for figure in figures:
        print(figure, flush=True)


def describe_machine() -> str:
    """Return on what the figures were measured."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    packages = [f"{name} {version(name)}" for name in PACKAGES]
    return ", ".join([python, f"{os.cpu_count()} cores", platform.machine(), *packages])


PACKAGES = (
    "django",
    "daphne",
    "uvicorn",
    "uvloop",
    "sse-starlette",
    "django-eventstream",
    "tqdm",
    "rich",
    "celery",
    "celery-progress",
)
