"""Snapshots, log pages and cancel requests in Django's cache."""

from .following import find_followers, note_followers
from .key_function import keeps_key
from .keys import is_task_id, make_begin_key, make_claim_key, make_mark_key, make_probe_key
from .received import Notes, find_received, forget_received
from .store import RECENT_TASKS, decode, get_store

__all__ = [
    "RECENT_TASKS",
    "Notes",
    "decode",
    "find_followers",
    "find_received",
    "forget_received",
    "get_store",
    "is_task_id",
    "keeps_key",
    "make_begin_key",
    "make_claim_key",
    "make_mark_key",
    "make_probe_key",
    "note_followers",
]
