"""Wake-ups: tell the hubs of this process, and of others, which tasks have changed."""

from .channel_layer import LayerListener, drain, start
from .local import Listener, ignore, listen, publish

__all__ = [
    "LayerListener",
    "Listener",
    "drain",
    "ignore",
    "listen",
    "publish",
    "start",
]
