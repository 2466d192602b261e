"""The commands of the document on the doctor examine a site that was made as README says."""

from pathlib import Path

import pytest

from tests.support.projects import ENV, make_shop
from tests.support.readme import find_block
from tests.support.servers import run_runserver
from tests.support.shell import run_block

pytestmark = pytest.mark.slow

DOCUMENT = "docs/how-to/doctor.md"

#: A shell in which a finding is no failure.
GO_ON = "set +e\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path)


def test_command_examines_the_site(shop: Path):
    command = find_block("sh", "tasks_doctor\n", document=DOCUMENT)
    said = run_block(f"{GO_ON}{command}true", shop, env=ENV)
    assert ("\ncache: " in said, "\nsite: " in said) == (True, False)


def test_command_with_an_address_looks_at_it_from_outside(shop: Path):
    command = find_block("sh", "--url", document=DOCUMENT)
    with run_runserver(env=ENV, cwd=shop) as server:
        said = run_block(f"{GO_ON}{command.replace('https://shop.example', server.url)}true", shop, env=ENV)
    assert "\nsite: ok" in said
