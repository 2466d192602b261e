"""The lowest declared version of each runtime dependency: print them as pins, or check that they are installed."""

import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent


def find_requirements() -> list[Requirement]:
    """Return what pyproject.toml declares, with its extras, and requirements.txt for all but the tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [item for extra in project["optional-dependencies"].values() for item in extra]
    lines = (ROOT / "requirements.txt").read_text().partition("# --- the tests ---")[0].splitlines()
    declared = [*project["dependencies"], *extras, *(line.partition("#")[0].strip() for line in lines)]
    return [Requirement(item) for item in declared if item]


def find_lowest() -> dict[str, str]:
    """Return the lowest version by name; each dependency must declare one, and the same everywhere."""
    found: dict[str, str] = {}
    for item in find_requirements():
        (lowest,) = [part.version for part in item.specifier if part.operator == ">="]
        if found.setdefault(item.name, lowest) != lowest:
            sys.exit(f"{item.name} is declared from {found[item.name]} and from {lowest}")
    return found


def check(lowest: dict[str, str]) -> None:
    """End with an error if another version is installed."""
    for name, wanted in lowest.items():
        if Version(version(name)) != Version(wanted):
            sys.exit(f"{name} {version(name)} is installed, not {wanted}")


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        check(find_lowest())
    else:
        sys.stdout.writelines(f"{name}=={wanted}\n" for name, wanted in find_lowest().items())
