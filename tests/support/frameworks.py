"""The scripts by which pages of React, Preact, Vue, Turbo and idiomorph show the component, built of packages."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.servers import ROOT
from tests.support.waiting import DEADLINE

SOURCES = ROOT / "tests" / "frameworks"

#: What renders the component: `renderers[name](place, attributes)`, without attributes nothing.
FRAMEWORKS = ["react", "preact", "vue"]

#: What changes it into what a server has rendered: `morphers[name](element, html)`.
MORPHERS = ["idiomorph", "turbo"]


#: What the packages ask of what builds them.
DEFINED = ['--define:process.env.NODE_ENV="production"', "--define:__VUE_OPTIONS_API__=true"]


class NotInstalled(Exception):
    """npm could not install the packages; says why."""


def build_scripts(folder: Path) -> Mapping[str, str]:
    """Return the script of each package, built in an empty folder.

    Raises:
        NotInstalled: npm is not there, or its registry is not.
    """
    install(folder)
    return build(folder, [*FRAMEWORKS, *MORPHERS])


def build(folder: Path, names: Sequence[str]) -> Mapping[str, str]:
    """Return the script of each of these modules in a folder, bundled with the packages that it uses."""
    options = ["--bundle", "--outdir=out", "--minify", "--jsx=automatic", *DEFINED]
    built = run(folder, "node_modules/.bin/esbuild", *[f"{name}.js" for name in names], *options)
    assert built.returncode == 0, built.stderr
    return {name: (folder / "out" / f"{name}.js").read_text(encoding="utf-8") for name in names}


def install(folder: Path) -> None:
    """Install the packages in an empty folder.

    Raises:
        NotInstalled: npm is not there, or its registry is not.
    """
    if shutil.which("npm") is None:
        raise NotInstalled("there is no npm on PATH ('apt-get install npm')")
    shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
    installed = run(folder, "npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
    if installed.returncode:
        raise NotInstalled(f"npm can't install the frameworks: {installed.stderr.strip()[:200]!r}")


def run(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=2 * DEADLINE)
