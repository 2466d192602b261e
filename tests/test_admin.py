"""The link to the monitor in Django's own admin."""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.urls import include, path
from django.utils.functional import empty

from tasks_app.permissions import Policy

pytestmark = pytest.mark.django_db(transaction=True)

ADMIN_APPS = ["django.contrib.admin", "django.contrib.messages"]

BOSS = {"is_staff": True, "is_superuser": True}

OWN_URLS = path("jobs/", include("tasks_app.urls"))

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


class SyncPolicy(Policy):
    """Lets one of the staff list tasks, and needs the database to know."""

    def can_list(self, request: HttpRequest) -> bool:
        return User.objects.get(pk=request.user.pk).username == "boss"


class AsyncPolicy(Policy):
    """The same, in a coroutine."""

    async def can_list(self, request: HttpRequest) -> bool:
        return (await User.objects.aget(pk=request.user.pk)).username == "boss"


@pytest.fixture
def install(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Have a site with an admin, whose apps and URLs are given."""
    admin.site._wrapped = empty  # a new site: Django makes the default one once, and has no public way to renew it
    for name in ("tasks_app.admin", "django.contrib.auth.admin"):  # it is looked for anew
        monkeypatch.delitem(sys.modules, name, raising=False)
    settings.STATIC_URL = "/static/"
    settings.TEMPLATES = TEMPLATES
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.messages.middleware.MessageMiddleware"]
    models = []

    def install(apps: Sequence[str] | None = None, urls: Sequence[Any] = (OWN_URLS,), site: Any = None) -> None:
        settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, *ADMIN_APPS] if apps is None else apps
        models.append(make_table())
        # A class is a URLconf that is made here and now: that of the site is not there before its app is.
        settings.ROOT_URLCONF = type("Urls", (), {"urlpatterns": [path("admin/", (site or admin.site).urls), *urls]})

    yield install
    with connection.schema_editor() as editor:
        editor.delete_model(models[-1])


def make_table() -> Any:
    """Make the table of what the admin shows as recent actions."""
    from django.contrib.admin.models import LogEntry

    with connection.schema_editor() as editor:
        editor.create_model(LogEntry)
    return LogEntry


def log_in(name: str = "boss", **fields: Any) -> Client:
    client = Client()
    client.force_login(User.objects.create(username=name, is_staff=True, **{"is_superuser": True, **fields}))
    return client


def find_links(html: str) -> list[str]:
    """Return the links to the monitor, by what they say."""
    return re.findall(r'<a href="/jobs/tasks/monitor"[^>]*>([^<]*)</a>', html)


def get_index(client: Client, place: str = "/admin/") -> str:
    response = client.get(place)
    assert response.status_code == 200
    return response.text


def test_index_links_the_monitor(install):
    install()
    assert find_links(get_index(log_in())) == ["Live progress", "Tasks", "View"]


@pytest.mark.parametrize("is_first", [True, False])
def test_link_does_not_depend_on_the_order_of_the_apps(install, settings, is_first):
    others = [app for app in settings.INSTALLED_APPS if app != "tasks_app"]
    install(["tasks_app", *others, *ADMIN_APPS] if is_first else [*ADMIN_APPS, *others, "tasks_app"])
    assert "Live progress" in find_links(get_index(log_in()))


def test_other_pages_link_it_in_their_sidebar(install):
    install()
    client = log_in(is_superuser=True)
    assert find_links(get_index(client, "/admin/auth/user/")) == ["Live progress", "Tasks"]


def test_page_of_another_app_shows_that_app_alone(install):
    install()
    html = get_index(log_in(is_superuser=True), "/admin/auth/")
    content = html.partition('id="content-main"')[2]
    assert "/admin/auth/user/" in content
    assert find_links(content) == []


def test_other_apps_stand_before_it(install):
    install()
    client = log_in()
    User.objects.get().user_permissions.add(Permission.objects.get(codename="view_user"))
    html = get_index(client)
    assert 0 < html.index("/admin/auth/user/") < html.index("Live progress")


def test_app_has_no_page_of_its_own_in_the_admin(install):
    install()
    assert log_in(is_superuser=True).get("/admin/tasks_app/").status_code == 404


def test_site_without_our_urls_has_no_link(install):
    install(urls=())
    assert "Live progress" not in get_index(log_in())


class OpenPolicy(Policy):
    def can_list(self, request: HttpRequest) -> bool:
        return True


@pytest.mark.parametrize("user", [AnonymousUser(), User(pk=1), User(pk=1, is_active=False, **BOSS)])
def test_others_than_staff_get_no_link_even_if_they_may_list(install, settings, user):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.OpenPolicy"}
    install()
    assert admin.site.get_app_list(SimpleNamespace(user=user)) == []


def test_login_page_is_shown(install):
    install()
    response = Client().get("/admin/login/")
    assert (response.status_code, find_links(response.text)) == (200, [])


@pytest.mark.parametrize("policy", ["SyncPolicy", "AsyncPolicy"])
@pytest.mark.parametrize(("name", "expected"), [("boss", 3), ("clerk", 0)])
def test_link_is_there_for_whom_the_policy_lets_list_tasks(install, settings, policy, name, expected):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": f"{__name__}.{policy}"}
    install()
    assert len(find_links(get_index(log_in(name)))) == expected


def test_site_of_ones_own_gets_the_link_once(install):
    site = admin.AdminSite("own")
    install(site=site)
    from tasks_app.admin import link_monitor

    link_monitor(site)
    link_monitor(site)
    assert find_links(get_index(log_in())) == ["Live progress", "Tasks", "View"]


def list_theirs(self: admin.AdminSite, request: HttpRequest, app_label: str | None = None) -> list[Any]:
    """What a project may put in the place of `get_app_list`."""
    return [{"app_label": "theirs"}]


def test_list_of_apps_that_a_project_changes_for_all_sites_is_kept(install, monkeypatch):
    install()
    get_index(log_in(is_superuser=True))
    monkeypatch.setattr(admin.AdminSite, "get_app_list", list_theirs)
    request = SimpleNamespace(user=User.objects.get())
    assert [app["app_label"] for app in admin.site.get_app_list(request)] == ["theirs", "tasks_app"]


def test_list_of_apps_that_a_project_changes_for_one_site_is_kept(install):
    site = admin.AdminSite("own")
    install(site=site)
    from tasks_app.admin import link_monitor

    site.get_app_list = partial(list_theirs, site)
    link_monitor(site)
    request = SimpleNamespace(user=User.objects.create(username="boss", is_staff=True, is_superuser=True))
    assert [app["app_label"] for app in site.get_app_list(request)] == ["theirs", "tasks_app"]


def test_site_of_ones_own_has_no_link_unasked(install):
    install(site=admin.AdminSite("own"))
    assert find_links(get_index(log_in())) == []


def test_entry_has_all_that_django_documents(install):
    install()
    request = SimpleNamespace(user=User.objects.create(username="boss", is_staff=True, is_superuser=True))
    (entry,) = [app for app in admin.site.get_app_list(request) if app["app_label"] == "tasks_app"]
    (model,) = entry["models"]
    assert entry.keys() == {"name", "app_label", "app_url", "has_module_perms", "models"}
    assert model.keys() >= {"model", "name", "object_name", "perms", "admin_url", "add_url"}
    assert model["model"]._meta.label == "tasks_app.Task"


def test_person_who_is_not_logged_in_is_sent_to_the_admins_login(install):
    install()
    response = Client().get("/jobs/tasks/monitor")
    assert response["Location"] == "/admin/login/?next=%2Fjobs%2Ftasks%2Fmonitor"


def test_person_is_sent_to_the_sites_login_where_the_admin_has_no_url(install, settings):
    install()
    settings.ROOT_URLCONF = type("Urls", (), {"urlpatterns": [OWN_URLS]})
    assert Client().get("/jobs/tasks/monitor")["Location"].startswith("/accounts/login/?next=")


def test_login_brings_staff_back_to_the_monitor(install):
    install()
    User.objects.create_superuser("boss", password="pass")
    place = Client().get("/jobs/tasks/monitor")["Location"]
    response = Client().post(place, {"username": "boss", "password": "pass"})
    assert response["Location"] == "/jobs/tasks/monitor"
