"""The site of `wire_settings` in several processes, on a Valkey server that they share."""

from tests.support import shared_settings
from tests.support.wire_settings import *  # noqa: F403

CACHES = shared_settings.CACHES
CHANNEL_LAYERS = shared_settings.CHANNEL_LAYERS
