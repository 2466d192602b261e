"""The texts of `<task-progress>`, for translation catalogs; they equal those of `task-progress-texts.js`."""

from collections.abc import Mapping

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

TEXTS: Mapping[str, str] = {
    "queued": _("Queued"),
    "running": _("Running"),
    "succeeded": _("Completed"),
    "failed": _("Failed"),
    "cancelled": _("Cancelled"),
    "lost": _("Lost: the worker stopped responding"),
    "unknown": _("Unknown: the cache has lost it, but it may still begin"),
    "missing": _("Not found, or not for you to see"),
    "noTask": _("No task"),
    "connecting": _("Connecting…"),
    "reconnecting": _("Reconnecting…"),
    "stalled": _("Stalled"),
    "failedBecause": _("Failed: {message}"),
    "silent": _("No sign of life for {time}"),
    "cancelledByYou": _("Cancelled by you"),
    "stoppedAt": _("stopped at {percent}"),
    "positionOne": _("{n}st in line"),
    "positionTwo": _("{n}nd in line"),
    "positionFew": _("{n}rd in line"),
    "positionOther": _("{n}th in line"),
    "startsIn": _("starts in about {time}"),
    "step": _("step {n} of {total}"),
    "rate": _("{rate}/s"),
    "ratePerMinute": _("{rate}/min"),
    "ratePerHour": _("{rate}/h"),
    "left": _("{time} left"),
    "seconds": _("{n} s"),
    "minutes": _("{n} min"),
    "hours": _("{hours} h {minutes} min"),
    "days": _("{days} d {hours} h"),
    "moment": _("< 1 s"),
    "cancel": _("Cancel"),
    "cancelling": _("Cancelling…"),
    "confirm": _("Cancel it?"),
    "yes": _("Yes"),
    "no": _("No"),
    "result": _("Open result"),
    "log": _("Log"),
    "noLines": _("No lines yet"),
    "unreachable": _("The server can't be reached."),
    "unanswered": _("The server did not answer."),
    "refused": _("The server answered {status}."),
    "loggedOut": _("You are logged out. Log in again, then try once more."),
}


def get_translations() -> dict[str, str]:
    """Return the texts that the active language translates, by name."""
    found = {name: gettext(text) for name, text in TEXTS.items()}
    return {name: text for name, text in found.items() if text != TEXTS[name]}
