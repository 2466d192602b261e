"""The package is of one version."""

import tomllib

import tasks_app
from tests.support.servers import ROOT


def test_version_is_the_one_that_is_released():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == tasks_app.__version__
