"""The layers: each module imports only from its own and those below, and nobody from above or from the root."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tasks_app"

LAYERS = {
    "conf": 0,
    "exceptions": 0,
    "texts": 0,
    "backends": 4,
    "asgi": 6,
    "permissions": 4,
    "admin": 5,
    "urls": 5,
    "checks": 5,
    "templatetags": 5,
    "management": 5,
    "contrib": 5,
    "apps": 6,
    "__init__": 6,
    "utils": 0,
    "snapshot": 0,
    "store": 1,
    "wakeups": 1,
    "reporting": 3,
    "streaming": 3,
    "lifecycle": 4,
    "http": 5,
    "monitor": 5,
    "servers": 5,
}

#: What must not know of Django.
PURE = {
    "exceptions",
    "reporting/draft",
    "utils/clock",
    "utils/json",
    "utils/backoff",
    "store/keys",
    "streaming/log",
    "monitor/summary",
    "snapshot",
    "snapshot/eta",
    "snapshot/log_page",
    "snapshot/state",
    "reporting/log",
    "store/latency",
    "snapshot/liveness",
    "streaming/frames",
    "snapshot/snapshot",
    "reporting/track",
}

MODULES = sorted(PACKAGE.rglob("*.py"))
PUBLIC = next(
    ast.literal_eval(node.value)
    for node in ast.parse((PACKAGE / "__init__.py").read_text()).body
    if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "__all__"
)


def find_imports(path: Path) -> set[str]:
    """Return the absolute dotted path of each import, also of those inside functions."""
    package = path.relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def find_own(path: Path) -> set[str]:
    """Return the modules of tasks_app that a file imports; "" is the root itself."""
    dotted = [name.split(".") for name in find_imports(path) if name.split(".")[0] == "tasks_app"]
    return {parts[1] if len(parts) > 1 and is_module(parts[1]) else "" for parts in dotted}


def find_own_modules(path: Path) -> set[str]:
    """Return the paths of the modules of tasks_app that a file imports, without their suffix."""
    names = [name.split(".")[1:] for name in find_imports(path) if name.split(".")[0] == "tasks_app"]
    return {
        "/".join(parts if (PACKAGE / "/".join(parts)).with_suffix(".py").exists() else parts[:-1]) for parts in names
    }


def file_of(name: str) -> Path:
    folder = PACKAGE / name
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def is_module(name: str) -> bool:
    return (PACKAGE / f"{name}.py").exists() or (PACKAGE / name).is_dir()


def name_of(path: Path) -> str:
    """Return the name of a module right under tasks_app, or of the folder there that holds it."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name_path(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name_path)
def test_module_has_a_layer(path):
    assert name_of(path) in LAYERS


@pytest.mark.parametrize("path", MODULES, ids=name_path)
def test_module_imports_nothing_of_a_higher_layer(path):
    own = LAYERS[name_of(path)]
    assert {name: LAYERS[name] for name in find_own(path) - {""} if LAYERS[name] > own} == {}


@pytest.mark.parametrize("path", MODULES, ids=name_path)
def test_module_imports_nothing_from_the_package_root(path):
    if name_of(path) != "__init__":
        assert "" not in find_own(path)


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_module_knows_nothing_of_django(name):
    assert not [item for item in find_imports(file_of(name)) if item.split(".")[0] in ("django", "asgiref")]


@pytest.mark.parametrize("name", sorted(PURE))
def test_pure_module_imports_only_pure_ones(name):
    assert find_own_modules(file_of(name)) <= PURE


@pytest.mark.parametrize("path", sorted((ROOT / "clients").rglob("*.py")), ids=name_path)
def test_client_does_not_import_the_app(path):
    assert find_own(path) == set()


@pytest.mark.parametrize("path", sorted((ROOT / "progress_site").rglob("*.py")), ids=name_path)
def test_demo_site_imports_only_the_public_api(path):
    names = {name for name in find_imports(path) if name.split(".")[0] == "tasks_app"}
    assert names <= {f"tasks_app.{name}" for name in PUBLIC} | {"tasks_app.asgi.wrap"}


@pytest.mark.parametrize("path", MODULES, ids=name_path)
def test_app_does_not_import_the_demo_site_or_the_tests(path):
    others = {"progress_site", "clients", "tests", "benchmarks"}
    assert not [name for name in find_imports(path) if name.split(".")[0] in others]


def test_public_names_are_sorted_and_exist():
    import tasks_app

    assert sorted(PUBLIC) == PUBLIC
    assert [name for name in PUBLIC if not hasattr(tasks_app, name)] == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from . import store", {"tasks_app.store"}),
        ("from .store import get_store", {"tasks_app.store.get_store"}),
        ("from tasks_app import start", {"tasks_app.start"}),
        ("import tasks_app.views", {"tasks_app.views"}),
        ("def f():\n    from .views import x", {"tasks_app.views.x"}),
    ],
)
def test_imports_of_every_form_are_found(code, expected, monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda self: code)
    assert find_imports(PACKAGE / "conf.py") == expected
