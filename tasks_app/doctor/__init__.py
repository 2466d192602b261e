"""The examination of a deployment: what is wrong with it, and what mends it."""

from .examination import Options, examine
from .texts import format_report

__all__ = ["Options", "examine", "format_report"]
