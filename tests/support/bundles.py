"""Builds the scripts that pages load out of the modules they are written in: `python -m tests.support.bundles`.

Storages that put hashes into the names of files leave the names in imports as they are, so a script that pages load
must import nothing. Scripts of the same build share their modules: whichever a page loads first makes them for all.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

from tests.support.servers import ROOT

FOLDER = ROOT / "tasks_app/static/tasks_app"

#: The scripts that pages load, each with the modules that it runs; it exports what the last of them does.
BUNDLES: Mapping[str, tuple[str, ...]] = {
    "task-progress.js": ("task-progress-element.js",),
    "task-progress-define.js": ("task-progress-definition.js",),
    "monitor/list-page.bundle.js": ("task-progress-definition.js", "monitor/list-page.js"),
    "monitor/task-page.bundle.js": ("task-progress-definition.js", "monitor/task-page.js"),
}

HEAD = """// Built by `python -m tests.support.bundles` out of the modules beside it: change those, not this.
const modules = (globalThis[Symbol.for("tasks_app {build}")] ??= {{}});
"""

MODULE = """
modules["{name}"] ??= (() => {{
{body}
return {exports};
}})();
"""

IMPORT = re.compile(r'^import \{ (?P<names>[^}]+) \} from "(?P<path>\.[^"]+)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (?P<name>\w+))", re.MULTILINE)
LEFT_OVER = re.compile(r"^(?:import|export)\b.*|\bimport\.meta\b|\bimport\(", re.MULTILINE)


def find_modules() -> dict[str, str]:
    """Return the text of each module that is written by hand, by its name in the folder."""
    paths = sorted(FOLDER.rglob("*.js"))
    names = [path.relative_to(FOLDER).as_posix() for path in paths]
    return {name: path.read_text() for name, path in zip(names, paths, strict=True) if name not in BUNDLES}


def build_all() -> dict[str, str]:
    """Return the text of each bundle, by its name in the folder."""
    sources = find_modules()
    build = sha256(repr(sources).encode()).hexdigest()[:12]
    return {name: build_bundle(entries, sources, build) for name, entries in BUNDLES.items()}


def build_bundle(entries: tuple[str, ...], sources: Mapping[str, str], build: str) -> str:
    """Return a script that runs these modules and what they import, and exports what the last of them does."""
    order = dict.fromkeys(name for entry in entries for name in find_order(entry, sources))
    exports = find_exports(sources[entries[-1]])
    tail = f'\nexport const {list_names(exports)} = modules["{entries[-1]}"];\n' if exports else ""
    return HEAD.format(build=build) + "".join(wrap(name, sources[name]) for name in order) + tail


def find_order(name: str, sources: Mapping[str, str]) -> Iterator[str]:
    """Yield the modules that a module needs, as a browser runs them, and then itself; there is no circle."""
    for found in IMPORT.finditer(sources[name]):
        yield from find_order(resolve(name, found["path"]), sources)
    yield name


def find_exports(text: str) -> list[str]:
    return [found["name"] for found in EXPORT.finditer(text)]


def list_names(names: Sequence[str]) -> str:
    """Return names in braces."""
    return f"{{ {', '.join(names)} }}" if names else "{}"


def wrap(name: str, text: str) -> str:
    """Return a module as a function that is called where no bundle of the page has done so."""
    body = IMPORT.sub(lambda found: take(name, found["names"], found["path"]), EXPORT.sub("", text)).strip()
    if left_over := LEFT_OVER.search(body):
        raise ValueError(f"{name}: there is no rule for {left_over[0]!r}")
    return MODULE.format(name=name, body=body, exports=list_names(find_exports(text)))


def take(importer: str, names: str, path: str) -> str:
    """Return the statement that stands for an import."""
    return f'const {{ {names.replace(" as ", ": ")} }} = modules["{resolve(importer, path)}"];'


def resolve(importer: str, path: str) -> str:
    """Return the name in the folder of what a module imports."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), path))


if __name__ == "__main__":
    for bundle, text in build_all().items():
        (FOLDER / bundle).write_text(text)
