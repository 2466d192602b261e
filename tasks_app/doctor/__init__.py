"""The examination of a deployment: what is wrong with it, and what mends it."""

from .address import Address
from .examination import Options, examine
from .shown import Shown
from .texts import format_report

__all__ = ["Address", "Options", "Shown", "examine", "format_report"]
