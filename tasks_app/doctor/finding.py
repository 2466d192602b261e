"""The results of an examination: what is wrong, and what was measured. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import Any, Self


class Level(StrEnum):
    """The weight of a finding.

    - `NOTE`: worth to know; the deployment is sound.
    - `WARNING`: tasks are shown, but late, not to all, or not for as long as they should.
    - `UNKNOWN`: a part could not be looked at.
    - `ERROR`: tasks are not shown.
    """

    NOTE = "note"
    WARNING = "warning"
    UNKNOWN = "unknown"
    ERROR = "error"


class ExitStatus(IntEnum):
    """The exit status of the command: what monitoring programs expect of a plugin."""

    SOUND = 0
    WARNING = 1
    ERROR = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault of a deployment.

    Attributes:
        id: its name, which stays the same from version to version.
        what: what is wrong, in plain words, with the values that were seen.
        cure: what mends it; empty if nothing has to be mended.
        proves: ids of findings that this explains, such as system checks that suspect it from the settings.
    """

    id: str
    level: Level
    what: str
    cure: str = ""
    proves: Collection[str] = ()

    def fill(self, **values: object) -> Self:
        """Return the finding with these values in its texts, by `str.format`."""
        return replace(self, what=self.what.format(**values), cure=self.cure.format(**values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured value, or what was found out.

    Attributes:
        unit: that of the value; empty if it has none.
        refutes: ids of findings that this shows to be wrong.
    """

    name: str
    value: float | str
    unit: str = ""
    refutes: Collection[str] = ()


Result = Finding | Figure


@dataclass(frozen=True, slots=True)
class Report:
    """The results of an examination, by the part of the deployment that was looked at."""

    parts: Mapping[str, tuple[Result, ...]]

    @property
    def findings(self) -> list[Finding]:
        """The findings of all parts, without those that another result proves or refutes."""
        return list(_list_findings([item for results in self.parts.values() for item in results]))

    @property
    def exit_status(self) -> ExitStatus:
        """The exit status, that of the gravest finding."""
        return find_exit_status(item.level for item in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return the report as an object that JSON can carry."""
        return {
            "status": self.exit_status.name.lower(),
            "exit_status": int(self.exit_status),
            "parts": {part: self._describe(part) for part in self.parts},
        }

    def _describe(self, part: str) -> dict[str, Any]:
        figures = [item for item in self.parts[part] if isinstance(item, Figure)]
        return {
            "figures": {item.name: {"value": item.value, "unit": item.unit} for item in figures},
            "findings": [
                {"id": item.id, "level": str(item.level), "what": item.what, "cure": item.cure}
                for item in self.find(part)
            ],
        }

    def find(self, part: str) -> list[Finding]:
        """Return the findings of one part."""
        return [item for item in self.findings if item in self.parts[part]]


def find_exit_status(levels: Iterable[Level]) -> ExitStatus:
    """Return the exit status for findings of these levels."""
    found = set(levels)
    for level in (Level.ERROR, Level.UNKNOWN, Level.WARNING):
        if level in found:
            return ExitStatus[level.name]
    return ExitStatus.SOUND


def name_error(error: BaseException) -> str:
    """Return the type and the text of an error, without a dot at its end."""
    return ": ".join(filter(None, [type(error).__name__, str(error).rstrip(".")]))


def _list_findings(results: Collection[Result]) -> Iterator[Finding]:
    settled = {name for item in results for name in (item.proves if isinstance(item, Finding) else item.refutes)}
    return (item for item in results if isinstance(item, Finding) and item.id not in settled)
