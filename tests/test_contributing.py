"""The commands for those who work on this project do what README and CONTRIBUTING say."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.readme import find_block
from tests.support.servers import ROOT
from tests.support.shell import run_block

CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
COSTS = "docs/explanation/costs.md"
COMMANDS = {
    "runserver": find_block("sh", "manage.py runserver", document="README.md"),
    "pytest": find_block("sh", "-m pytest", document="README.md"),
    "benchmarks": find_block("sh", "-m benchmarks", document=COSTS),
}


@pytest.mark.parametrize("word", COMMANDS)
def test_command_that_makes_an_environment_is_run_by_ci(word: str):
    function = "readme_command() {" + CI.partition("readme_command() {")[2].partition("\n}\n")[0] + "\n}"
    call = f"readme_command {word}"
    done = subprocess.run(
        ["bash", "-euc", f"{function}\n{call}"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    assert (done.stdout, f"$({call})" in CI) == (COMMANDS[word], True)


def test_command_of_the_client_is_run_by_ci():
    assert f"\n  {find_block('sh', 'clients/client.py', document='README.md').strip()} >" in CI


def test_command_that_checks_a_commit_is_run_by_ci():
    line = find_block("sh", "-m slow", document="CONTRIBUTING.md").splitlines()[2]
    command = re.search(r'bash -c "\$\((grep .*CONTRIBUTING.md)\)"', CI)
    assert command is not None
    done = subprocess.run(["bash", "-c", command[1]], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout.strip() == line


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project, so that an environment of its own can be made in it."""
    ignored = shutil.ignore_patterns(".git", ".venv", ".bench", "__pycache__", ".*_cache", ".coverage*")
    return shutil.copytree(ROOT, tmp_path / "copy", ignore=ignored)


@pytest.mark.slow
def test_commands_of_contributors_find_tests(copy: Path):
    one_room, slow, _, everything = find_block("sh", "-m slow", document="CONTRIBUTING.md").splitlines()
    for command in (one_room, slow.replace("-m slow", "-m slow tests/doctor")):
        found = run_block(command.replace("-m pytest", "-m pytest --collect-only -q -n 0"), copy)
        assert "test_" in found
    assert os.access(copy / everything.split()[0], os.X_OK)


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info < (3, 12), reason="coverage measures lines alone on Python 3.12 or newer")
def test_what_tests_execute_is_measured(copy: Path):
    block = find_block("sh", "COVERAGE_PROCESS_START", document="CONTRIBUTING.md")
    report = run_block(block.replace("tests/streaming", "-n 0 tests/utils/test_json.py"), copy)
    assert "\nTOTAL " in report
