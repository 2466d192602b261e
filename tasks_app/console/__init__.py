"""The operator at a shell, who may see and cancel every task: what the commands about tasks have in common."""

from .calls import call
from .follower import Follower, as_viewers_see
from .task_command import TaskCommand, explain_absence, refuse_unknown

__all__ = ["Follower", "TaskCommand", "as_viewers_see", "call", "explain_absence", "refuse_unknown"]
