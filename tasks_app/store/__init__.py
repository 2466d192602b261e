"""Snapshots, log pages and cancel requests in Django's cache."""

from .broods import Brood
from .client import CULLING_CACHES
from .clients import find_client, keep_client
from .details import afind_details, find_details
from .families import (
    Family,
    Kin,
    Members,
    add_children,
    count_left_again,
    drop_family,
    find_broods,
    find_children,
    find_ends,
    find_families,
    find_members,
    find_totals,
    forget_family,
    keep_family,
    open_family,
    restore_children,
    restore_ends,
    set_children,
)
from .following import find_followers, note_followers
from .gone import count_most_pages, count_stored_pages, delete_contents, find_gone, note_gone
from .histories import find_histories, keep_histories
from .key_function import keeps_key
from .keys import (
    RESERVED_IDS,
    is_task_id,
    make_begin_key,
    make_claim_key,
    make_listening_key,
    make_mark_key,
    make_probe_key,
    make_task_key,
)
from .lifetimes import active_time_to_live
from .loading import Loaded, load_many
from .received import Notes, find_received, forget_received
from .recent import RECENT_TASKS, sharing
from .remainders import HELD, claim_sum, count_itself, expect_ends, reopen_sum
from .store import decode, get_store
from .words import find_words

__all__ = [
    "CULLING_CACHES",
    "HELD",
    "RECENT_TASKS",
    "RESERVED_IDS",
    "Brood",
    "Family",
    "Kin",
    "Loaded",
    "Members",
    "Notes",
    "active_time_to_live",
    "add_children",
    "afind_details",
    "claim_sum",
    "count_itself",
    "count_left_again",
    "count_most_pages",
    "count_stored_pages",
    "decode",
    "delete_contents",
    "drop_family",
    "expect_ends",
    "find_broods",
    "find_children",
    "find_client",
    "find_details",
    "find_ends",
    "find_families",
    "find_followers",
    "find_gone",
    "find_histories",
    "find_members",
    "find_received",
    "find_totals",
    "find_words",
    "forget_family",
    "forget_received",
    "get_store",
    "is_task_id",
    "keep_client",
    "keep_family",
    "keep_histories",
    "keeps_key",
    "load_many",
    "make_begin_key",
    "make_claim_key",
    "make_listening_key",
    "make_mark_key",
    "make_probe_key",
    "make_task_key",
    "note_followers",
    "note_gone",
    "open_family",
    "reopen_sum",
    "restore_children",
    "restore_ends",
    "set_children",
    "sharing",
]
