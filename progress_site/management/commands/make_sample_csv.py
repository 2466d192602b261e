"""`manage.py make_sample_csv`: a file to try the import with."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from progress_site.samples import write_samples


class Command(BaseCommand):
    help = "Write a CSV file of made-up customers, about 1 % of them bad; the same one for the same --rows and --seed."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", nargs="?", default="sample.csv", type=Path, help="default: %(default)s")
        parser.add_argument("--rows", type=int, default=100_000, help="default: %(default)s")
        parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")

    def handle(self, *args: Any, path: Path, rows: int, seed: int, **options: Any) -> None:
        if rows < 0:
            raise CommandError(f"--rows is {rows!r}; it must not be negative")
        with path.open("w", encoding="utf-8", newline="") as file:
            bad = write_samples(file, rows, seed)
        self.stdout.write(f"Wrote {rows} rows, {bad} of them bad, to {path}")
