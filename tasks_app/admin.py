"""The link to the monitor in Django's admin."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import NoReverseMatch
from django.utils.translation import gettext_lazy as _

from .http import make_url
from .models import Task
from .permissions import is_allowed_now
from .users import may_view_all

_LABEL = "tasks_app"


def link_monitor(site: admin.AdminSite) -> None:
    """Add a link to the monitor to the index and the sidebar of an admin site.

    Only staff that may list tasks see it. The default site has the link already; call this for a custom site.
    """
    # `admin.site` is a lazy proxy; its bound method holds the site itself.
    instance: Any = site.register.__self__  # type: ignore[attr-defined]
    replaced = vars(instance).get("get_app_list")

    def get_app_list(request: HttpRequest, app_label: str | None = None) -> list[Any]:
        # Look the method of the class up at each call: projects may replace it later.
        get_others = replaced or partial(type(instance).get_app_list, instance)
        if app_label is not None:  # the page of one app
            return list(get_others(request, app_label))
        return _add_link(request, list(get_others(request)))

    instance.get_app_list = get_app_list


def _add_link(request: HttpRequest, apps: list[Any]) -> list[Any]:
    try:
        url = make_url("monitor")
    except NoReverseMatch:  # the project does not include our URLs
        return apps
    if any(app["app_label"] == _LABEL for app in apps):
        return apps
    return [*apps, _make_entry(url)] if may_view_all(request) and is_allowed_now("can_list", request) else apps


def _make_entry(url: str) -> dict[str, Any]:
    model = {
        "model": Task,
        "name": Task._meta.verbose_name_plural,
        "object_name": Task._meta.object_name,
        "perms": {"add": False, "change": False, "delete": False, "view": True},
        "admin_url": url,
        "add_url": None,
        "view_only": True,
    }
    return {
        "name": _("Live progress"),
        "app_label": _LABEL,
        "app_url": url,
        "has_module_perms": True,
        "models": [model],
    }


link_monitor(admin.site)
