"""A report as text for a terminal. Pure."""

import textwrap
from collections.abc import Iterator

from .finding import ExitStatus, Figure, Finding, Report

#: Characters in a line.
WIDTH = 100

#: What the last line says.
VERDICTS = {
    ExitStatus.SOUND: "Nothing is wrong with what was looked at.",
    ExitStatus.WARNING: "There are warnings.",
    ExitStatus.ERROR: "There are errors.",
    ExitStatus.UNKNOWN: "Not all could be looked at.",
}


#: Findings whose cure is to ask the doctor for more, which stands after the verdict.
STEPS = {"stream-not-watched"}


def format_report(report: Report) -> str:
    """Return a report as lines of text, the last of which are the verdict and the next step."""
    lines = [line for part in report.parts for line in _format_part(report, part)]
    steps = [line for item in report.findings if item.id in STEPS for line in _wrap(f"Now: {item.cure}")]
    return "\n".join([*lines, VERDICTS[report.exit_status], *steps])


def _format_part(report: Report, part: str) -> Iterator[str]:
    figures = [_format_figure(item) for item in report.parts[part] if isinstance(item, Figure)]
    found = report.find(part)
    yield f"{part}: {', '.join(figures)}" if figures else f"{part}: {_count(len(found))}"
    for finding in found:
        yield from _format_finding(finding)
    yield ""


def _count(findings: int) -> str:
    return f"{findings!r} finding{'' if findings == 1 else 's'}" if findings else "ok"


def _format_figure(figure: Figure) -> str:
    value = f"{figure.value:g}" if isinstance(figure.value, int | float) else figure.value
    return f"{figure.name} {value} {figure.unit}".rstrip()


def _format_finding(finding: Finding) -> Iterator[str]:
    yield f"  {finding.level} {finding.id}"
    for label, text in (("", finding.what), ("Mend it: ", "" if finding.id in STEPS else finding.cure)):
        if text:
            yield from _wrap(label + text, indent="    ")


def _wrap(text: str, *, indent: str = "") -> list[str]:
    """Return the lines of a text; names with hyphens, such as those of headers, and addresses stay whole."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
