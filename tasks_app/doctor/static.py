"""The static files: the scripts of the component and of the monitor are to be found, collected and up to date."""

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import HashedFilesMixin, StaticFilesStorage, staticfiles_storage

from .finding import Figure, Finding, Level, Result
from .time_limit import call

FOLDER = Path(__file__).resolve().parent.parent / "static"

#: The script that defines the component. As each that pages load it imports nothing, so storages leave its text alone.
SCRIPT = "tasks_app/task-progress-define.js"

COLLECT = "Run 'manage.py collectstatic' at each deployment."


def examine_static() -> Iterator[Result]:
    """Yield which static files of this app the site does not find, has not collected, or has of another version."""
    names = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())
    if "django.contrib.staticfiles" not in settings.INSTALLED_APPS:
        yield Figure(name="files", value="not looked at: 'django.contrib.staticfiles' is not in INSTALLED_APPS")
        return
    yield Figure(name="files", value=len(names))
    yield from _examine_finders(names)
    if settings.STATIC_ROOT and not settings.DEBUG:
        yield from _examine_collected(names)


def _examine_finders(names: list[str]) -> Iterator[Result]:
    if missing := [name for name in names if finders.find(name) is None]:
        yield Finding(
            id="static-not-found",
            level=Level.ERROR,
            what=f"STATICFILES_FINDERS do not find {_name(missing)}: no component comes to life.",
            cure="Add 'django.contrib.staticfiles.finders.AppDirectoriesFinder' to STATICFILES_FINDERS.",
        )


def _examine_collected(names: list[str]) -> Iterator[Result]:
    """See whether what pages name is in STATIC_ROOT; of a storage elsewhere, only the names are known."""
    stored = {name: _find_stored(name) for name in names}
    missing = [name for name, place in stored.items() if place is None or not _exists(place)]
    if missing:
        yield Finding(
            id="static-not-collected",
            level=Level.ERROR,
            what=f"STATIC_ROOT, {str(settings.STATIC_ROOT)!r}, lacks {_name(missing)}: no component comes "
            "to life, and with a manifest, pages that name one fail.",
            cure=COLLECT,
        )
        return
    if _is_local() and _is_outdated(str(stored[SCRIPT])):
        yield Finding(
            id="static-outdated",
            level=Level.WARNING,
            what=f"STATIC_ROOT, {str(settings.STATIC_ROOT)!r}, has {SCRIPT!r} of another version than the one that is "
            "installed: pages load what does not fit the server.",
            cure=COLLECT,
        )
    if _is_local() and any(place != name and not _exists(name) for name, place in stored.items()):
        yield Finding(
            id="static-hashed-only",
            level=Level.NOTE,
            what="Static files are kept under their hashed names alone.",
            cure="Name them by {% static %}: a plain path, such as one in a script of yours, is not found.",
        )


def _find_stored(name: str) -> str | None:
    """Return the name under which a file is stored; None if the manifest does not have it."""
    if not isinstance(staticfiles_storage, HashedFilesMixin):
        return name
    try:
        return str(staticfiles_storage.stored_name(name))
    except ValueError:
        return None


def _is_local() -> bool:
    return isinstance(staticfiles_storage, StaticFilesStorage)


def _exists(place: str) -> bool:
    return not _is_local() or call(staticfiles_storage.exists, place)


def _is_outdated(place: str) -> bool:
    with staticfiles_storage.open(place) as collected:
        return bool(collected.read() != (FOLDER / SCRIPT).read_bytes())


def _name(names: list[str]) -> str:
    """Return the first of some names, and how many more there are."""
    return repr(names[0]) if len(names) == 1 else f"{names[0]!r} and {len(names) - 1!r} more"
