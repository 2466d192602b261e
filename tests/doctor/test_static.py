"""The doctor finds static files that pages would miss."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command

from tasks_app.doctor.static import SCRIPT, examine_static
from tests.support.doctor import find_figures, find_ids

STORAGE = "django.contrib.staticfiles.storage"
PLAIN, MANIFEST = f"{STORAGE}.StaticFilesStorage", f"{STORAGE}.ManifestStaticFilesStorage"


@pytest.fixture
def collect(settings, tmp_path: Path) -> Callable[[str], Path]:
    """Have this storage keep the static files of the site, and collect them."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django.contrib.staticfiles"]
    settings.STATIC_URL, settings.STATIC_ROOT = "/static/", str(tmp_path / "static")

    def run(storage: str) -> Path:
        settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": storage}}
        call_command("collectstatic", interactive=False, verbosity=0)
        return tmp_path / "static"

    return run


@pytest.mark.parametrize("storage", [PLAIN, MANIFEST])
def test_files_that_were_collected_are_sound(collect, storage):
    collect(storage)
    assert find_ids(examine_static()) == []


def test_files_that_were_not_collected_are_missed(settings, collect, tmp_path):
    collect(PLAIN)
    settings.STATIC_ROOT = str(tmp_path / "empty")
    assert find_ids(examine_static()) == ["static-not-collected"]


def test_manifest_that_lacks_files_is_found(settings, collect):
    folder = collect(MANIFEST)
    (folder / "staticfiles.json").write_text(json.dumps({"version": "1.1", "hash": "", "paths": {}}))
    settings.STORAGES = {**settings.STORAGES}  # it is read once
    assert find_ids(examine_static()) == ["static-not-collected"]


def test_module_that_is_missing_is_named(collect):
    folder = collect(PLAIN)
    (folder / "tasks_app" / "task-progress-link.js").unlink()
    (finding,) = [item for item in examine_static() if hasattr(item, "id")]
    assert (finding.id, "tasks_app/task-progress-link.js" in finding.what) == ("static-not-collected", True)


@pytest.mark.parametrize("storage", [PLAIN, MANIFEST])
def test_script_of_another_version_is_found(collect, storage):
    folder = collect(storage)
    for path in (folder / "tasks_app").glob("task-progress-define*.js"):
        path.write_text("// of the version before")
    assert find_ids(examine_static()) == ["static-outdated"]


def test_files_under_hashed_names_alone_are_told_of(collect):
    folder = collect(MANIFEST)
    (folder / SCRIPT).unlink()
    (finding,) = [item for item in examine_static() if hasattr(item, "id")]
    assert (finding.id, finding.level) == ("static-hashed-only", "note")


def test_files_that_no_finder_finds_are_an_error(settings, collect):
    collect(PLAIN)
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    assert find_ids(examine_static()) == ["static-not-found"]


def test_site_without_the_app_for_static_files_is_not_looked_at():
    assert "not looked at" in find_figures(examine_static())["files"]
