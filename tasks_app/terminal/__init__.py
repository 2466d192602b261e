"""The view of tasks in a terminal or a pipe; the modules are links to those of the scripts in `clients`."""

from .command import EXIT_STATUSES, add_output_options, add_timeout, conclude, run_to_end
from .display import Display, Row, write_line
from .lines import open_display
from .reconnection import Interrupted, NotSucceeded, Reconnection, TaskError, raise_gravest
from .texts import describe, describe_name, explain

__all__ = [
    "EXIT_STATUSES",
    "Display",
    "Interrupted",
    "NotSucceeded",
    "Reconnection",
    "Row",
    "TaskError",
    "add_output_options",
    "add_timeout",
    "conclude",
    "describe",
    "describe_name",
    "explain",
    "open_display",
    "raise_gravest",
    "run_to_end",
    "write_line",
]
