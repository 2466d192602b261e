"""A report has the status of its gravest finding, and says nothing twice."""

import pytest

from tasks_app.doctor.finding import ExitStatus, Figure, Finding, Level, Report, find_exit_status
from tasks_app.doctor.sharing import NOT_SHARED, _not_shared
from tasks_app.doctor.texts import VERDICTS, format_report
from tests.support.readme import find_block

SUSPICION = Finding(id="tasks_app.W012", level=Level.WARNING, what="Perhaps not shared.", cure="Share it.")
PROOF = Finding(id="cache-not-shared", level=Level.ERROR, what="Not shared.", cure="Share it.", proves=[SUSPICION.id])
SPEED = Figure(name="read", value=0.31, unit="ms")


@pytest.mark.parametrize(
    ("levels", "status"),
    [
        ([], 0),
        ([Level.NOTE], 0),
        ([Level.WARNING, Level.NOTE], 1),
        ([Level.WARNING, Level.ERROR, Level.UNKNOWN], 2),
        ([Level.UNKNOWN, Level.WARNING], 3),
    ],
)
def test_status_is_that_of_the_gravest_finding(levels, status):
    assert find_exit_status(levels) == status


def test_suspicion_that_is_proven_is_left_out():
    assert Report({"settings": (SUSPICION,), "cache": (PROOF,)}).findings == [PROOF]


def test_suspicion_that_a_figure_refutes_is_left_out():
    figure = Figure(name="first frame", value=3.1, unit="ms", refutes=[SUSPICION.id])
    assert Report({"settings": (SUSPICION,), "stream": (figure,)}).findings == []


def test_json_has_status_figures_and_findings():
    assert Report({"settings": (), "cache": (SPEED, PROOF)}).to_json() == {
        "status": "error",
        "exit_status": 2,
        "parts": {
            "settings": {"figures": {}, "findings": []},
            "cache": {
                "figures": {"read": {"value": 0.31, "unit": "ms"}},
                "findings": [{"id": "cache-not-shared", "level": "error", "what": "Not shared.", "cure": "Share it."}],
            },
        },
    }


def test_document_shows_a_report_as_it_is():
    text = format_report(Report({"other processes": (NOT_SHARED, _not_shared(2))}))
    assert text.rpartition("\n\n")[0] in find_block("console", "--processes 2")


@pytest.mark.parametrize(
    ("results", "line"),
    [((), "settings: ok"), ((SUSPICION,), "settings: 1 finding"), ((SPEED,), "settings: read 0.31 ms")],
)
def test_part_without_figures_says_whether_it_is_sound(results, line):
    assert format_report(Report({"settings": results})).splitlines()[0] == line


def test_names_of_headers_stay_whole():
    finding = Finding(id="stream-held", level=Level.ERROR, what="x" * 85 + " X-Accel-Buffering", cure="")
    assert "    X-Accel-Buffering" in format_report(Report({"stream": (finding,)})).splitlines()


def test_next_step_is_the_last_line():
    finding = Finding(id="stream-not-watched", level=Level.UNKNOWN, what="Not watched.", cure="Run it with --task.")
    assert format_report(Report({"stream": (finding,)})).splitlines()[1:] == [
        "  unknown stream-not-watched",
        "    Not watched.",
        "",
        VERDICTS[ExitStatus.UNKNOWN],
        "Now: Run it with --task.",
    ]


def test_text_says_what_is_wrong_how_to_mend_it_and_the_verdict():
    lines = format_report(Report({"cache": (SPEED, PROOF)})).splitlines()
    assert lines == [
        "cache: read 0.31 ms",
        "  error cache-not-shared",
        "    Not shared.",
        "    Mend it: Share it.",
        "",
        VERDICTS[ExitStatus.ERROR],
    ]
