"""The versions on which the tests run, as `pyproject.toml` and `requirements.txt` have them."""

import json
import re
import tomllib
from collections.abc import Iterator

from packaging.requirements import Requirement

from tests.support.servers import ROOT

#: What a document is about besides Python and Django: names of distributions, or of packages of npm, and for people.
ABOUT = {
    "docs/how-to/celery.md": {"celery": "Celery"},
    "docs/how-to/drf.md": {"djangorestframework": "REST framework"},
    "docs/how-to/metrics.md": {"prometheus-client": "prometheus-client", "opentelemetry-sdk": "opentelemetry-sdk"},
    "docs/how-to/react.md": {"react": "React", "preact": "Preact", "vue": "Vue"},
    "docs/how-to/rq.md": {"django-tasks-rq": "django-tasks-rq"},
    "docs/how-to/workers.md": {"django-tasks-db": "django-tasks-db", "huey": "Huey"},
}


def describe_versions(document: str) -> str:
    """Return the line that says with what a document was run."""
    about = ABOUT.get(document, {})
    requirements = [item for name in about if (item := _find_requirement(name)) is not None]
    pairs = [
        f"Python {python} with Django {django}"
        for python, django in _find_pairs()
        if all(item.marker is None or item.marker.evaluate({"python_version": python}) for item in requirements)
    ]
    others = [f"{shown} {_find_version(name)}" for name, shown in about.items()]
    return f"*Run on {' and '.join(pairs)}{''.join(f', {other}' for other in others)}.*"


def _find_pairs() -> Iterator[tuple[str, str]]:
    """Yield each Python with the Django on which `.ci/run` runs the tests, both as the classifiers name them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = [re.findall(rf"^{name} :: (\d\.\d+)$", "\n".join(project["classifiers"]), re.MULTILINE) for name in NAMES]
    return zip(*found, strict=True)


NAMES = ("Programming Language :: Python", "Framework :: Django")


def _find_requirement(name: str) -> Requirement | None:
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if re.match(rf"{re.escape(name)}\b(?!-)", line):
            return Requirement(line.partition("  #")[0])
    return None


def _find_version(name: str) -> str:
    """Return the lowest version that is allowed of a distribution, or the one that is taken from npm."""
    requirement = _find_requirement(name)
    if requirement is None:
        packages = json.loads((ROOT / "tests" / "frameworks" / "package.json").read_text(encoding="utf-8"))
        return re.match(r"\d+\.\d+", packages["dependencies"][name]).group()
    (lowest,) = (item.version for item in requirement.specifier if item.operator == ">=")
    return f"from {lowest}"
