"""The scripts that pages load: built of their modules, one for a page, whatever storage names the files."""

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support import bundles
from tests.support.browser import needs_chromium, open_tab
from tests.support.bundles import BUNDLES, FOLDER, build_all, build_bundle
from tests.support.component_site import make_url, run_component_site
from tests.support.readme import find_block
from tests.support.wire_site import Site

STORAGES = {
    "plain": "django.contrib.staticfiles.storage.StaticFilesStorage",
    "manifest": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
    "modules": "tests.support.component_storages.ModuleStorage",
    "whitenoise": "whitenoise.storage.CompressedManifestStaticFilesStorage",
}

needs_whitenoise = pytest.mark.skipif(
    find_spec("whitenoise") is None, reason="whitenoise is not installed (requirements.txt has it)"
)

POLICY = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self'; connect-src 'self'"
HASHED = re.compile(r"\.[0-9a-f]{12}\.js$")

TAG = "{% load tasks_app static %}{% task_progress 'unknown' %}"


def test_scripts_are_what_their_modules_give():
    """`python -m tests.support.bundles` builds them."""
    built = build_all()
    assert [name for name in BUNDLES if (FOLDER / name).read_text() != built[name]] == []


def test_scripts_that_pages_load_import_nothing():
    assert {
        name for name, text in build_all().items() if bundles.LEFT_OVER.search(text.partition("\nexport ")[0])
    } == set()


def test_modules_run_after_what_they_import():
    sources = {"a.js": 'import { b as c } from "./x/b.js";\nexport const a = c;', "x/b.js": "export class b {}"}
    text = build_bundle(("a.js",), sources, "build")
    assert text.index('modules["x/b.js"] ??=') < text.index('modules["a.js"] ??=')
    assert 'const { b: c } = modules["x/b.js"];' in text
    assert text.endswith('\nexport const { a } = modules["a.js"];\n')


@pytest.mark.parametrize(
    "line", ['import "./b.js";', "export default 7;", "export let a = 7;", "await import('./b.js');"]
)
def test_module_that_can_not_be_built_in_is_named(line):
    with pytest.raises(ValueError, match=re.escape("a.js: there is no rule for")):
        build_bundle(("a.js",), {"a.js": f"{line}\n"}, "build")


@pytest.fixture(
    params=[
        pytest.param("plain", marks=pytest.mark.slow),
        "manifest",
        pytest.param("modules", marks=pytest.mark.slow),
        pytest.param("whitenoise", marks=[needs_whitenoise, pytest.mark.slow]),
    ]
)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A site that has collected its static files, and has none but those that the storage names."""
    env = {"STATIC_ROOT": str(tmp_path), "STATIC_STORAGE": STORAGES[request.param]}
    with run_component_site(env=env) as running:
        keep_only_named(tmp_path)
        yield running


def keep_only_named(folder: Path) -> None:
    """Do what WHITENOISE_KEEP_ONLY_HASHED_FILES does."""
    manifest = folder / "staticfiles.json"
    if not manifest.exists():
        return
    named = {folder / name for name in json.loads(manifest.read_text())["paths"].values()}
    for path in folder.rglob("*"):
        if path.is_file() and path not in named:
            path.unlink()


@needs_chromium
def test_page_loads_one_script_and_changes_its_texts_under_every_storage(site: Site, browser: Browser):
    with open_tab(browser, expected_errors=("404 (Not Found)",)) as page:  # it asks again for what is not there
        scripts: list[str] = []
        page.on("request", lambda request: scripts.append(request.url) if request.url.endswith(".js") else None)
        page.goto(make_url(site, TAG, csp=POLICY))
        status = page.locator("task-progress .status")
        expect(status).to_have_text("Not found, or not for you to see")
        assert len(scripts) == 1
        texts = find_block("html", "TaskProgressElement.texts").replace("cancel", "missing")
        page.goto(make_url(site, "{% load static %}" + texts + TAG, csp=POLICY))
        expect(status).to_have_text("Stop")
