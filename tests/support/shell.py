"""Blocks of commands for a shell, run as they stand in the documents, by bash."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import django

from tests.support.servers import ROOT
from tests.support.waiting import DEADLINE

#: What the commands of the documents call stands for this Python, in an environment that is there already: what they
#: install must be installed here.
ENVIRONMENT = ".venv"
PROGRAMS = {
    "python": 'exec "{python}" "$@"',
    "python3": '[ "$*" = "-m venv .venv" ] || exec "{python}" "$@"',
    "coverage": 'exec "{python}" -m coverage "$@"',
    "pip": 'exec "{python}" -m pip "$@"',
    "django-admin": 'exec "{python}" -m django "$@"',
}

_CLONE = re.compile(r'"?/path/to/this/clone(?:\[([\w,-]+)\])?"?')


def run_block(block: str, folder: Path, *, env: Mapping[str, str] | None = None) -> str:
    """Run the commands of a block in a folder, and return what they print; one that fails fails the test."""
    programs = make_programs(folder / ENVIRONMENT / "bin")
    paths = os.pathsep.join([str(programs), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", name_requirements(block)],
        cwd=folder,
        env={**os.environ, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **(env or {}), "PATH": paths},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_programs(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, code in PROGRAMS.items():
        (folder / name).write_text(f"#!/bin/sh\n{code.format(python=sys.executable)}\n")
        (folder / name).chmod(0o755)
    return folder


def name_requirements(block: str) -> str:
    """Return a block that asks for what this project needs, rather than for the project itself."""
    return _CLONE.sub(lambda found: " ".join(f"'{item}'" for item in find_requirements(found[1])), block)


def find_requirements(extras: str | None) -> list[str]:
    """Return what the project needs with these extras; Django 6 can do without `backport`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [name for name in (extras or "").split(",") if name and (name != "backport" or django.VERSION < (6,))]
    return [*project["dependencies"], *(item for name in names for item in project["optional-dependencies"][name])]
