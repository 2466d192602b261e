"""The rooms of the app: each imports only from rooms below it, and only what these hand out."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import tasks_app

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tasks_app"

#: From the bottom to the top; a name is a folder or a module right under tasks_app.
ROOMS = [
    "utils",
    "terminal",
    "conf",
    "exceptions",
    "snapshot",
    "users",
    "models",
    "metering",
    "store",
    "wakeups",
    "reporting",
    "streaming",
    "tokens",
    "permissions",
    "lifecycle",
    "http",
    "monitor",
    "openapi",
    "console",
    "servers",
    "templatetags",
    "backends",
    "admin",
    "checks",
    "deploy_checks",
    "security_checks",
    "urls",
    "asgi",
    "integration",
    "testing",
    "contrib",
    "doctor",
    "management",
    "apps",
    "__init__",
]

#: Its helpers are imported from their own modules: one that is pure must not load the others.
WITHOUT_A_DOOR = "utils"

#: What knows nothing of Django, nor of what does.
PURE = {
    "contrib/celery/signatures",
    "contrib/prometheus/names",
    "doctor/finding",
    "doctor/hops",
    "doctor/judgement",
    "doctor/refused",
    "doctor/standstill",
    "doctor/texts",
    "exceptions",
    "metering/meter",
    "monitor/summary",
    "openapi/schema_parts",
    "openapi/schemas",
    "reporting/binding",
    "reporting/chores",
    "reporting/counts",
    "reporting/draft",
    "reporting/log",
    "reporting/loops",
    "reporting/track",
    "reporting/values",
    "reporting/wire_frames",
    "snapshot/__init__",
    "snapshot/copying",
    "snapshot/details",
    "snapshot/eta",
    "snapshot/family",
    "snapshot/follower",
    "snapshot/forecast",
    "snapshot/history",
    "snapshot/liveness",
    "snapshot/log_page",
    "snapshot/orphan",
    "snapshot/snapshot",
    "snapshot/state",
    "snapshot/stored_fields",
    "snapshot/succession",
    "snapshot/version",
    "store/keys",
    "store/latency",
    "streaming/frames",
    "streaming/log",
    "terminal/bars",
    "terminal/command",
    "terminal/display",
    "terminal/lines",
    "terminal/reconnection",
    "terminal/texts",
    "utils/backoff",
    "utils/clock",
    "utils/json",
    "utils/release",
    "wakeups/message",
}

#: What README has people import from elsewhere, or derive a class from.
PUBLIC_BESIDE_THE_ROOT = {
    "tasks_app.asgi.wrap",
    "tasks_app.permissions.Policy",
    "tasks_app.testing.Recorded",
    "tasks_app.testing.record",
    "tasks_app.testing.run",
}

MAX_LINES = 300


class Import(NamedTuple):
    """`from <module> import <name>`, with dotted absolute paths; `name` is empty for `import <module>`."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


def parse_imports(text: str, package: tuple[str, ...]) -> Iterator[Import]:
    """Yield each import of a module in this package, those inside functions included."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (Import(module, alias.name) for alias in node.names)


@cache
def find_imports(path: Path) -> list[Import]:
    return list(parse_imports(path.read_text(), path.relative_to(ROOT).parent.parts))


def find_modules(folder: str = "tasks_app") -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def name_module(path: Path) -> str:
    """Return the path of a module below tasks_app, without its suffix."""
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def name_room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def find_target(item: Import) -> str | None:
    """Return the module of tasks_app that an import loads; None for other packages, "" for the root itself."""
    parts = [*item.module.split("."), *([item.name] if item.name else [])]
    if parts[0] != "tasks_app":
        return None
    for end in range(len(parts), 0, -1):
        place = PACKAGE.joinpath(*parts[1:end])
        if place.with_suffix(".py").exists() and end > 1:
            return "/".join(parts[1:end])
        if place.is_dir() and end > 1:
            return "/".join([*parts[1:end], "__init__"])
    return ""


def find_own_targets(path: Path) -> set[str]:
    return {target for item in find_imports(path) if (target := find_target(item)) is not None}


@cache
def find_handed_out(room: str) -> list[str]:
    """Return the `__all__` of a room."""
    for node in ast.parse((PACKAGE / room / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


@cache
def find_rooms() -> list[str]:
    """Return the folders whose names other rooms get through their `__init__`."""
    folders = {name_room(path) for path in find_modules() if len(path.relative_to(PACKAGE).parts) > 1}
    return sorted(folders - {WITHOUT_A_DOOR, "contrib", "templatetags"})


def find_upward(path: Path) -> list[str]:
    own = ROOMS.index(name_room(path))
    targets = [target for target in find_own_targets(path) if target]
    return [target for target in targets if ROOMS.index(target.partition("/")[0]) > own]


def find_past_the_door(path: Path) -> list[str]:
    """Return the imports of other rooms that are not of what these hand out."""
    own, found = name_room(path), []
    for item in find_imports(path):
        room = (find_target(item) or "").partition("/")[0]
        if room in find_rooms() and room != own and own != "__init__":
            is_room = item.module == f"tasks_app.{room}" and item.name in find_handed_out(room)
            found += [] if is_room or str(item) == f"tasks_app.{room}" else [str(item)]
    return found


def test_every_module_is_in_a_room():
    assert {name_room(path) for path in find_modules()} == set(ROOMS)


def test_rooms_import_only_from_below():
    """So there is no circle between rooms."""
    assert {name_module(path): found for path in find_modules() if (found := find_upward(path))} == {}


def test_rooms_import_of_each_other_only_what_is_handed_out():
    assert {name_module(path): found for path in find_modules() if (found := find_past_the_door(path))} == {}


def test_rooms_hand_out_only_what_others_use():
    used = {
        (item.module.removeprefix("tasks_app."), item.name) for path in find_modules() for item in find_imports(path)
    }
    unused = {room: [name for name in find_handed_out(room) if (room, name) not in used] for room in find_rooms()}
    unused["wakeups"] = []  # it is used as a namespace: `wakeups.publish(…)`
    unused["testing"] = []  # the tests of sites use it
    assert {room: names for room, names in unused.items() if names} == {}


def test_nothing_private_is_imported():
    private = [item for path in find_modules() for item in find_imports(path) if item.name.startswith("_")]
    assert [str(item) for item in private if item.module.startswith("tasks_app")] == []


def test_nothing_is_imported_from_the_package_root():
    assert [name_module(path) for path in find_modules() if "" in find_own_targets(path)] == []


def test_modules_import_each_other_in_no_circle():
    graph = {name_module(path): find_own_targets(path) - {name_module(path)} for path in find_modules()}
    for room in find_rooms():  # a room's own modules do not go through its door
        graph[f"{room}/__init__"] = set()
    assert find_circle(graph) is None


def find_circle(graph: Mapping[str, set[str]]) -> list[str] | None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return None


def test_circle_is_found():
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) is not None


def test_each_room_says_in_one_sentence_what_it_is_for():
    texts = {room: ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text())) for room in find_rooms()}
    assert [room for room, text in texts.items() if not text or "\n" in text or not text.endswith(".")] == []


def test_what_is_pure_knows_nothing_of_django():
    found = {name: [str(item) for item in find_imports(PACKAGE / f"{name}.py")] for name in PURE}
    frameworks = ("django", "asgiref", "channels", "celery")
    assert {name: items for name, items in found.items() if any(item.startswith(frameworks) for item in items)} == {}


def test_what_is_pure_imports_only_what_is_pure():
    found = {name: find_own_targets(PACKAGE / f"{name}.py") - PURE for name in PURE}
    assert {name: targets for name, targets in found.items() if targets} == {}


def test_clients_do_not_import_the_app():
    assert [path.name for path in find_modules("clients") if find_own_targets(path)] == []


def test_demo_site_imports_only_the_public_api():
    imports = {str(item) for path in find_modules("progress_site") for item in find_imports(path)}
    own = {item for item in imports if item.split(".")[0] == "tasks_app"}
    assert own <= {f"tasks_app.{name}" for name in tasks_app.__all__} | PUBLIC_BESIDE_THE_ROOT


def test_terminal_has_the_modules_of_the_clients():
    """These are links, which the build of the package and other copies follow."""
    own = {path.name: path for path in find_modules("tasks_app/terminal") if path.name != "__init__.py"}
    others = {name: ROOT / "clients" / "common" / name for name in own}
    assert [name for name in own if own[name].read_text() != others[name].read_text()] == []


def test_app_does_not_import_what_is_around_it():
    others = ("progress_site", "clients", "tests", "benchmarks")
    imports = [str(item) for path in find_modules() for item in find_imports(path)]
    assert [item for item in imports if item.split(".")[0] in others] == []


def test_celery_is_built_on_the_integration_api():
    imports = [item for path in find_modules("tasks_app/contrib") for item in find_imports(path)]
    targets = {find_target(item) for item in imports} - {None}
    assert {target for target in targets if not target.startswith("contrib/")} == {"integration"}


def test_no_module_is_over_300_lines():
    modules = find_modules()
    lengths = {path.relative_to(PACKAGE).as_posix(): len(path.read_text().splitlines()) for path in modules}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_public_names_are_sorted_and_exist():
    assert sorted(tasks_app.__all__) == tasks_app.__all__
    assert [name for name in tasks_app.__all__ if not hasattr(tasks_app, name)] == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from . import store", "tasks_app.store"),
        ("from .store import get_store", "tasks_app.store.get_store"),
        ("from tasks_app import start", "tasks_app.start"),
        ("import tasks_app.urls", "tasks_app.urls"),
        ("def f():\n    from .urls import x", "tasks_app.urls.x"),
    ],
)
def test_imports_of_every_form_are_found(code, expected):
    assert list(map(str, parse_imports(code, ("tasks_app",)))) == [expected]
