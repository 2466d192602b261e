"""The measurements of this process, told to a meter; without an integration that sets one, nobody listens."""

from .meter import Meter, get_meter, set_meter

__all__ = ["Meter", "get_meter", "set_meter"]
