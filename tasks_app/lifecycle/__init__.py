"""The start, the cancellation and the tracking of tasks, with every task framework."""

from . import compat
from .attempts import Delivery, adopt, adopt_promised, begin, enter, leave, pass_on, use_store, write
from .chosen_ids import is_chosen, name_run
from .claims import claim_end
from .control import acancel, aget_snapshot, cancel, get_snapshot, look_up
from .enqueue import check_parts, find_queued, get_promised_id, queue
from .executor import Executor
from .followers import get_followers
from .forgetting import connect_users
from .frameworks import Flaw, Framework, Promise, get_framework, register, unregister
from .gathering import Gathering, gather, gather_started
from .keeping import give_up_part
from .names import resolve
from .receivers import connect, never_raise
from .sending import has_foreign_receivers
from .start import astart_named

__all__ = [
    "Delivery",
    "Executor",
    "Flaw",
    "Framework",
    "Gathering",
    "Promise",
    "acancel",
    "adopt",
    "adopt_promised",
    "aget_snapshot",
    "astart_named",
    "begin",
    "cancel",
    "check_parts",
    "claim_end",
    "compat",
    "connect",
    "connect_users",
    "enter",
    "find_queued",
    "gather",
    "gather_started",
    "get_followers",
    "get_framework",
    "get_promised_id",
    "get_snapshot",
    "give_up_part",
    "has_foreign_receivers",
    "is_chosen",
    "leave",
    "look_up",
    "name_run",
    "never_raise",
    "pass_on",
    "queue",
    "register",
    "resolve",
    "unregister",
    "use_store",
    "write",
]
