"""Snapshots of tasks, their states, and what follows from them; pure, without Django or I/O."""

from .details import Argument, Details, cut_traceback
from .eta import Pace
from .family import BATCH, Part, awaits_children, compose, expect_children, is_note, runs_nothing
from .follower import as_sent, end_like, is_unsent, make_follower
from .forecast import expecting, foresee, foretell
from .history import MAX_RUNS, History, Run, name_runs
from .liveness import Silence, Spell, as_silent, is_expired, judge, waits_elsewhere
from .log_page import (
    MAX_LEVEL_LENGTH,
    MAX_LINE_LENGTH,
    PAGE_LINES,
    LogPage,
    count_page_bytes,
    count_pages,
    get_slot,
    parse_page,
)
from .orphan import disown, empty
from .snapshot import Snapshot
from .state import (
    ANYONE,
    EXPIRED,
    GENERIC_TYPE,
    GONE,
    MAX_LABEL_LENGTH,
    MAX_MESSAGE_LENGTH,
    MAX_NAME_LENGTH,
    MAX_STATUS_LENGTH,
    MAX_TASK_LENGTH,
    Report,
    Stage,
    State,
    make_label,
    percent_of,
)
from .succession import is_wrongly_lost, rebase, renumber, take_back
from .version import Version

__all__ = [
    "ANYONE",
    "BATCH",
    "EXPIRED",
    "GENERIC_TYPE",
    "GONE",
    "MAX_LABEL_LENGTH",
    "MAX_LEVEL_LENGTH",
    "MAX_LINE_LENGTH",
    "MAX_MESSAGE_LENGTH",
    "MAX_NAME_LENGTH",
    "MAX_RUNS",
    "MAX_STATUS_LENGTH",
    "MAX_TASK_LENGTH",
    "PAGE_LINES",
    "Argument",
    "Details",
    "History",
    "LogPage",
    "Pace",
    "Part",
    "Report",
    "Run",
    "Silence",
    "Snapshot",
    "Spell",
    "Stage",
    "State",
    "Version",
    "as_sent",
    "as_silent",
    "awaits_children",
    "compose",
    "count_page_bytes",
    "count_pages",
    "cut_traceback",
    "disown",
    "empty",
    "end_like",
    "expect_children",
    "expecting",
    "foresee",
    "foretell",
    "get_slot",
    "is_expired",
    "is_note",
    "is_unsent",
    "is_wrongly_lost",
    "judge",
    "make_follower",
    "make_label",
    "name_runs",
    "parse_page",
    "percent_of",
    "rebase",
    "renumber",
    "runs_nothing",
    "take_back",
    "waits_elsewhere",
]
