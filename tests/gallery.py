"""Pictures of what people see, to be looked at: `python -m tests.gallery FOLDER`.

The component in each state, the demo's and the monitor's pages, and the component by each framework, in each part of
its life, under foreign styles.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.browser import open_browser
from tests.support.frameworks import build_scripts
from tests.support.gallery import save_pictures
from tests.support.gallery_monitor import save_monitor_pictures
from tests.support.matrix import save_matrix


def save_all(folder: Path) -> None:
    """Save all pictures."""
    with TemporaryDirectory() as built, open_browser() as browser:
        save_matrix(browser, build_scripts(Path(built)), folder)
    save_pictures(folder)
    save_monitor_pictures(folder)


if __name__ == "__main__":
    save_all(Path(sys.argv[1]))
