"""README is one page, and the documents describe all settings, checks and public names."""

import ast
import re
from argparse import ArgumentParser
from dataclasses import asdict, fields
from pathlib import Path

import pytest
from django.core.management import BaseCommand, load_command_class

import tasks_app
from tasks_app.conf import Settings
from tests.support.readme import DOCUMENTS
from tests.support.servers import ROOT
from tests.support.versions import describe_versions

COMPONENT = "docs/reference/component.md"
SCRIPTS = "tasks_app/static/tasks_app"
PAGES = [document for document in DOCUMENTS if document.startswith("docs/")]


def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def test_readme_is_one_page():
    text = read("README.md")
    assert (len(text.splitlines()) <= 150, len(text.split()) <= 900) == (True, True)


def test_every_setting_is_described():
    described = set(re.findall(r"`([A-Z_]+)`", read("docs/reference/settings.md")))
    assert {item.name for item in fields(Settings)} - described == set()


def test_every_default_of_a_setting_is_that_of_the_code():
    rows = re.findall(r"^\| (`[A-Z_`, ]+`) \| (`.+?`) \| ", read("docs/reference/settings.md"), re.MULTILINE)
    defaults = {
        name: ast.literal_eval(default.replace("\\|", "|"))
        for names, values in rows
        for name, default in zip(re.findall("`(.+?)`", names), re.findall("`(.+?)`", values), strict=True)
    }
    assert defaults == asdict(Settings())


def test_rooms_of_the_document_are_those_of_the_code():
    folders = {path.parent.name for path in (ROOT / "tasks_app").glob("*/__init__.py")} - {"contrib"}
    listed = re.findall(r"`(\w+)/`", read("docs/explanation/rooms.md").partition("| room |")[2])
    assert folders - set(listed) == set()


def test_every_check_is_described():
    sources = "".join(path.read_text() for path in (ROOT / "tasks_app").rglob("*.py"))
    found = set(re.findall(r'"(?:tasks_app\.)?([EW]\d{3})"', sources))
    assert found ^ set(re.findall(r"`([EW]\d{3})`", read("docs/reference/checks.md"))) == set()


def test_checks_of_a_deployment_are_marked():
    names = ["deploy_checks.py", "security_checks.py"]
    deployed = {found for name in names for found in re.findall(r"\b[EW]\d{3}\b", read(f"tasks_app/{name}"))}
    cells = re.findall(r"^\| (`[EW].+?) \| (.+?) \| ", read("docs/reference/checks.md"), re.MULTILINE)
    marked = {ids.split("`")[-2] for ids, says in cells if "*deploy*" in says}
    assert marked == deployed


def test_every_finding_of_the_doctor_is_described():
    sources = "".join(path.read_text() for path in (ROOT / "tasks_app" / "doctor").glob("*.py"))
    found = set(re.findall(r'\bid="([a-z-]+)"', sources))
    assert found ^ set(re.findall(r"^\| `([a-z][a-z-]+)` \|", read("docs/how-to/doctor.md"), re.MULTILINE)) == set()


def test_every_public_name_is_described():
    text = read("docs/reference/python.md")
    types = {"Progress", "Snapshot", "Stage", "State"}
    assert [name for name in tasks_app.__all__ if name not in types and not re.search(rf"\b{name}\b", text)] == []


def test_every_attribute_of_the_component_is_described():
    found = re.search(r"observedAttributes = \[(.+?)\]", read(f"{SCRIPTS}/task-progress-element.js"), re.DOTALL)
    assert found is not None
    described = set(re.findall(r"`([a-z-]+)`", read(COMPONENT).partition("| in a script | |")[0]))
    assert set(re.findall('"(.+?)"', found[1])) - {"data-state"} - described == set()


def test_custom_properties_of_the_component_are_those_of_its_style():
    used = set(re.findall(r"var\(--task-progress(-[a-z-]+)", read(f"{SCRIPTS}/task-progress-style.js")))
    rows = re.findall(r"^\| (`--task-progress-.+?) \|", read(COMPONENT), re.MULTILINE)
    described = {name.removeprefix("--task-progress") for row in rows for name in re.findall("`(.+?)`", row)}
    assert described == used


@pytest.mark.parametrize("command", ["watch_task", "list_tasks", "cancel_task"])
def test_every_option_of_a_command_is_described(command: str):
    parser = load_command_class("tasks_app", command).create_parser("manage.py", command)
    common = BaseCommand().create_parser("manage.py", command)
    options = find_options(parser) - find_options(common)
    described = re.findall(r"^\| `(--[a-z]+)[^|]*\| ([^|]*)\|", read("docs/reference/commands.md"), re.MULTILINE)
    assert options == {option for option, of in described if of.strip() == "all three" or command in of}


def test_every_option_of_the_scripts_is_described():
    sources = "".join(path.read_text() for path in (ROOT / "clients").rglob("*.py"))
    described = set(re.findall(r"^\| `(--[a-z-]+)", read("docs/reference/clients.md"), re.MULTILINE))
    assert set(re.findall(r'add_argument\(\s*"(--[a-z-]+)"', sources)) == described


def find_options(parser: ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings if option.startswith("--")}


def test_contents_list_every_page_once():
    listed = re.findall(r"^ +- ([\w/-]+\.md)$", read("mkdocs.yml"), re.MULTILINE)
    assert sorted(listed) == sorted(str(Path(page).relative_to("docs")) for page in PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_page_has_one_title(page: str):
    prose = re.sub(r"^```.*?^```$", "", read(page), flags=re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"^# ", prose, re.MULTILINE)) == 1


@pytest.mark.parametrize("page", PAGES)
def test_page_says_at_its_head_with_what_it_was_run(page: str):
    title, line, *_ = read(page).split("\n\n")
    assert (title.startswith("# "), line) == (True, describe_versions(page))


#: The groups of a changelog, in their order: https://keepachangelog.com/en/1.1.0/
GROUPS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def find_changes() -> dict[str, str]:
    """Return what the changelog says of each version, the newest first."""
    _, *parts = re.split(r"^## (.+)\n", read("CHANGELOG.md"), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_changelog_begins_with_what_is_not_released_and_dates_each_version():
    unreleased, *versions = find_changes()
    undated = [version for version in versions if not re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}", version)]
    assert (unreleased, undated) == ("Unreleased", [])


@pytest.mark.parametrize("version", find_changes())
def test_each_change_stands_in_a_group(version: str):
    before, *parts = re.split(r"^### (.+)\n", find_changes()[version], flags=re.MULTILINE)
    groups = parts[::2]
    assert (before.strip(), groups) == ("", [group for group in GROUPS if group in groups])


@pytest.mark.parametrize("version", find_changes())
def test_what_to_do_on_an_upgrade_stands_first(version: str):
    changed = find_changes()[version].partition("### Changed\n")[2].partition("\n###")[0]
    marks = [line.startswith("- **On upgrade") for line in changed.splitlines() if line.startswith("- ")]
    assert marks == sorted(marks, reverse=True)
