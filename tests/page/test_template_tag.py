"""`{% task_progress %}`: its markup, who may read a state from it, and what a page loads once."""

import json
import os
import re
import sys
from collections import OrderedDict
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import django
import pytest
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.template import Context, RequestContext, Template
from django.test import RequestFactory
from django.urls import include, path
from django.utils import translation
from django.utils.asyncio import async_unsafe
from django.utils.functional import SimpleLazyObject
from django.utils.module_loading import import_string
from django.utils.safestring import mark_safe

from tasks_app import make_token, permissions
from tasks_app.permissions import Policy
from tasks_app.reporting.process import get_flusher
from tasks_app.snapshot.state import Report
from tasks_app.store.store import MAX_THREADS, get_store
from tasks_app.tokens import gives_control, opens
from tests.support.caches import CONTROLLED_CACHES, HANGING_CACHES, controls, gate
from tests.support.doubles import begin, read
from tests.support.viewers import NOW, make_running, put_silently, report
from tests.support.waiting import DEADLINE, wait_until

urlpatterns = [path("jobs/", include("tasks_app.urls"))]

OWNER, OTHER = User(pk=7, date_joined=NOW), User(pk=8)


@pytest.fixture(autouse=True)
def _templates(settings: Any) -> None:
    settings.STATIC_URL = "/static/"
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]


class Elements(HTMLParser):
    """The start tags of a page, each with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def find_all(html: str, tag: str) -> list[dict[str, str | None]]:
    return [attributes for name, attributes in Elements(html).found if name == tag]


def make_request(user: object = None, path: str = "/page?a=1&b=2") -> HttpRequest:
    request = RequestFactory().get(path)
    request.user = AnonymousUser() if user is None else user
    return request


def render(tag: str = "{% task_progress task_id %}", *, request: HttpRequest | None = None, **values: Any) -> str:
    context = {"task_id": "t1", **values}
    made = Context({"request": request, **context}) if request is None else RequestContext(request, context)
    if request is not None:
        made["request"] = request
    return Template("{% load tasks_app %}" + tag).render(made)


def read_snapshot(html: str) -> Any:
    found = re.search(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
    return found and json.loads(found.group(1))


def test_bare_tag_names_its_task_and_nothing_else():
    assert find_all(render(), "task-progress") == [{"task-id": "t1"}]


def test_options_become_attributes():
    switches = ["cancel", "logs", "children", "compact", "page_title", "page_icon"]
    tag = "{% task_progress task_id label='A <b>' token='x&y' " + "=True ".join(switches) + "=True %}"
    assert find_all(render(tag), "task-progress") == [
        {
            "task-id": "t1",
            "label": "A <b>",
            "token": "x&y",
            **dict.fromkeys(name.replace("_", "-") for name in switches),
        }
    ]


def test_label_that_is_the_name_of_a_file_breaks_no_page():
    html = render("{% task_progress task_id label=label %}", label=os.fsdecode(b"r\xe9sum\xe9.csv"))
    (component,) = find_all(HttpResponse(html).content.decode(), "task-progress")
    assert component["label"] == "r\ufffdsum\ufffd.csv"


@pytest.mark.parametrize(
    ("label", "shown"),
    [(None, {}), ("", {}), (mark_safe("Gr&ouml;ße"), {"label": "Größe"}), ("Größe", {"label": "Größe"})],
)
def test_other_labels_stay_as_they_are(label, shown):
    html = render("{% task_progress task_id label=label %}", label=label)
    assert find_all(html, "task-progress") == [{"task-id": "t1", **shown}]


@pytest.mark.parametrize("task_id", ["", None])
def test_task_without_id_shows_nothing_and_says_so(task_id, caplog):
    assert render(task_id=task_id).strip() == ""
    assert f"task_id is {task_id!r}" in caplog.text


def test_task_without_id_leaves_the_script_to_the_next():
    html = render("{% task_progress missing %}{% task_progress task_id %}")
    assert len(find_all(html, "script")) == len(find_all(render(), "script"))


def test_app_under_another_path_is_named(settings):
    settings.ROOT_URLCONF = "tests.page.test_template_tag"
    assert find_all(render(), "task-progress") == [{"task-id": "t1", "src": "/jobs/"}]


def test_script_and_style_are_loaded_once_in_a_page():
    html = render("{% task_progress task_id %}{% task_progress 't2' %}{% include inner %}", inner=make_inner())
    assert len(find_all(html, "task-progress")) == 3
    assert find_all(html, "script") == [{"type": "module", "src": "/static/tasks_app/task-progress-define.js"}]
    assert find_all(html, "link") == [{"rel": "stylesheet", "href": "/static/tasks_app/task-progress.css"}]


def test_script_is_loaded_once_by_templates_that_are_included():
    html = render("{% include inner %}{% include inner %}", inner=make_inner())
    assert (len(find_all(html, "task-progress")), len(find_all(html, "script"))) == (2, 1)


def test_each_page_loads_the_script():
    template = Template("{% load tasks_app %}{% task_progress 't1' %}")
    assert [len(find_all(template.render(Context()), "script")) for _ in range(2)] == [1, 1]


def test_script_may_stand_in_the_head():
    html = render("{% task_progress_head %}<body>{% task_progress task_id %}{% task_progress_head %}")
    head, body = html.split("<body>")
    assert (len(find_all(head, "script")), len(find_all(body, "script"))) == (1, 0)


@pytest.mark.parametrize(("root", "warnings"), [("", 1), ("/static", 0)])
def test_script_that_nothing_serves_is_said_once_in_the_log(settings, monkeypatch, caplog, root, warnings):
    monkeypatch.delitem(sys.modules, "django.contrib.staticfiles.handlers", raising=False)
    settings.STATIC_ROOT = root
    for _ in range(2):
        render()
    assert caplog.text.count("nothing seems to serve tasks_app/task-progress-define.js") == warnings
    assert caplog.text.count("manage.py runserver") == warnings


def make_inner() -> Template:
    return Template("{% load tasks_app %}{% task_progress 'inner' %}")


def test_script_carries_the_nonce_of_the_page():
    html = render(csp_nonce="abc")
    assert [tag["nonce"] for tag in find_all(html, "script") + find_all(html, "link")] == ["abc", "abc"]


def find_nonces(html: str) -> set[str | None]:
    return {tag.get("nonce") for tag in find_all(html, "script") + find_all(html, "link")}


def test_script_carries_the_nonce_that_django_csp_puts_into_the_context():
    assert find_nonces(render(CSP_NONCE=SimpleLazyObject(lambda: "abc"))) == {"abc"}


def test_script_carries_the_nonce_that_django_csp_puts_into_the_request():
    request = make_request()
    request.csp_nonce = SimpleLazyObject(lambda: "abc")
    assert find_nonces(render(request=request)) == {"abc"}


def test_nonce_of_a_request_that_is_no_variable_of_the_template_is_found():
    request = make_request()
    request.csp_nonce = "abc"
    assert find_nonces(Template("{% load tasks_app %}{% task_progress_head %}").render(RequestContext(request))) == {
        "abc"
    }


@pytest.mark.skipif(django.VERSION < (6,), reason="Django 5.2 makes no nonces")
@pytest.mark.parametrize("processors", [[], ["django.template.context_processors.csp"]])
def test_script_carries_the_nonce_of_djangos_middleware(settings, processors):
    settings.SECURE_CSP = {"script-src": ["'self'", import_string("django.utils.csp.CSP").NONCE]}
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "OPTIONS": {"context_processors": processors}}]
    middleware = import_string("django.middleware.csp.ContentSecurityPolicyMiddleware")
    response = middleware(lambda request: HttpResponse(render(request=request)))(make_request())
    (nonce,) = find_nonces(response.content.decode())
    assert nonce
    assert f"'nonce-{nonce}'" in response["Content-Security-Policy"]


@pytest.mark.parametrize("values", [{}, {"CSP_NONCE": ""}])
def test_page_without_nonces_gets_none(values):
    assert find_nonces(render(request=make_request(), **values)) == {None}


def test_words_of_another_language_come_along(monkeypatch):
    monkeypatch.setattr("tasks_app.templatetags.texts.gettext", {"Cancel": "Abbrechen"}.get)
    monkeypatch.setattr("tasks_app.templatetags.texts.TEXTS", {"cancel": "Cancel"})
    html = render()
    assert '<script id="task-progress-texts" type="application/json">{"cancel": "Abbrechen"}</script>' in html


def test_english_page_brings_no_words():
    with translation.override("en"):
        assert "task-progress-texts" not in render()


# Who sees a state


def test_state_is_there_for_those_without_javascript_and_with():
    put_silently(report(make_running(), 42))
    html = render(request=make_request())
    assert read_snapshot(html)["progress"] == 42
    assert find_all(html, "progress") == [{"max": "100", "value": "42", "aria-label": "Demo"}]
    assert find_all(html, "a") == [{"href": "/page?a=1&b=2"}]


def test_label_of_the_task_is_its_name_without_javascript():
    put_silently(replace(make_running(), label="Import <a>.csv"))
    assert "<strong>Import &lt;a&gt;.csv</strong>" in render(request=make_request())


def test_bar_without_javascript_has_no_value_while_the_total_is_unknown():
    put_silently(make_running())
    assert find_all(render(request=make_request()), "progress") == [{"max": "100", "aria-label": "Demo"}]


def test_task_that_has_ended_needs_no_refresh():
    put_silently(make_running().succeeded(now=NOW))
    assert find_all(render(request=make_request()), "a") == []


def test_text_of_a_task_is_escaped():
    put_silently(make_running().reported(Report(status="</script><script>alert(1)</script>"), now=NOW))
    html = render(request=make_request())
    assert "<script>alert" not in html
    assert read_snapshot(html)["status"] == "</script><script>alert(1)</script>"


@pytest.mark.parametrize(("user", "expected"), [(OWNER, True), (OTHER, False), (AnonymousUser(), False)])
def test_state_of_a_task_is_shown_to_its_owner_alone(user, expected):
    put_silently(make_running(owner="7"))
    assert (read_snapshot(render(request=make_request(user))) is not None) is expected


def test_task_that_may_not_be_seen_looks_as_one_that_does_not_exist():
    put_silently(make_running("t1", owner="7"))
    hidden, unknown = (render(request=make_request(), task_id=task_id) for task_id in ("t1", "t2"))
    assert hidden.replace("t1", "t2") == unknown


def test_token_of_the_tag_shows_the_state():
    put_silently(make_running(owner="7"))
    html = render("{% task_progress task_id token=token %}", request=make_request(), token=make_token("t1"))
    assert read_snapshot(html)["task_id"] == "t1"


def test_token_of_another_task_shows_nothing():
    put_silently(make_running(owner="7"))
    html = render("{% task_progress task_id token=token %}", request=make_request(), token=make_token("t2"))
    assert read_snapshot(html) is None


@pytest.mark.parametrize(("owner", "names"), [(None, ["demo"]), ("7", [])])
def test_names_of_tasks_without_an_owner_that_a_page_shows_are_noted(monkeypatch, owner, names):
    monkeypatch.setattr(permissions, "_shown", OrderedDict())
    put_silently(make_running(owner=owner))
    render(request=make_request(OWNER))
    assert list(permissions._shown) == names


def test_template_without_a_request_shows_no_state_of_a_task_with_an_owner():
    put_silently(make_running(owner="7"))
    assert read_snapshot(render()) is None


class SlowPolicy(Policy):
    """Asks in a coroutine."""

    async def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        return request.user.is_authenticated


@pytest.mark.parametrize(("user", "expected"), [(OWNER, True), (AnonymousUser(), False)])
def test_policy_that_is_async_is_asked(settings, user, expected):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": "tests.page.test_template_tag.SlowPolicy"}
    put_silently(make_running(owner="7"))
    assert (read_snapshot(render(request=make_request(user))) is not None) is expected


def test_lazy_user_is_loaded_before_the_policy_looks():
    put_silently(make_running(owner="7"))
    load = async_unsafe("the database was asked in an event loop")(lambda: OWNER)
    assert read_snapshot(render(request=make_request(SimpleLazyObject(load)))) is not None


async def test_template_rendered_in_an_event_loop_shows_no_state_of_a_task_with_an_owner():
    put_silently(make_running(owner="7"))
    html = render(request=make_request())
    assert (read_snapshot(html), find_all(html, "task-progress")) == (None, [{"task-id": "t1"}])


def test_page_is_shown_though_the_cache_is_down(settings, caplog):
    settings.CACHES = CONTROLLED_CACHES
    controls.break_down("get", "get_many")
    try:
        html = render(request=make_request())
    finally:
        controls.reset()
    assert find_all(html, "task-progress") == [{"task-id": "t1"}]
    assert "task t1" in caplog.text


# Tokens


def find_token(html: str) -> tuple[str | None, str | None]:
    (component,) = find_all(html, "task-progress")
    return component.get("token"), component.get("token-age")


@pytest.mark.parametrize("owner", ["7", None])
def test_page_brings_a_token_of_whom_the_policy_allows(owner):
    put_silently(make_running(owner=owner))
    token, age = find_token(render(request=make_request(OWNER)))
    assert (opens(token, "t1"), opens(token, "t2"), age) == (True, False, "900")


def test_token_of_the_page_lasts_as_long_as_the_setting_says_in_every_language(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "TOKEN_MAX_AGE": 1234.5}
    settings.USE_THOUSAND_SEPARATOR = True
    put_silently(make_running())
    with translation.override("de"):
        assert find_token(render(request=make_request()))[1] == "1234.5"


def test_page_brings_no_token_of_whom_the_policy_refuses():
    put_silently(make_running(owner="7"))
    assert find_token(render(request=make_request(OTHER))) == (None, None)


def test_page_without_a_request_brings_no_token_of_a_task_with_an_owner():
    put_silently(make_running(owner="7"))
    assert find_token(render()) == (None, None)


@pytest.mark.parametrize("ownerless", ["staff", "id"])
def test_page_itself_shows_a_task_without_an_owner(settings, ownerless):
    settings.TASKS_APP = {**settings.TASKS_APP, "OWNERLESS": ownerless}
    put_silently(make_running())
    html = render(request=make_request())
    assert read_snapshot(html)["task_id"] == "t1"
    assert opens(find_token(html)[0], "t1")
    assert not gives_control(find_token(html)[0], "t1")


async def test_page_rendered_in_an_event_loop_shows_a_task_without_an_owner(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "OWNERLESS": "staff"}
    put_silently(make_running())
    html = render(request=make_request())
    assert read_snapshot(html)["task_id"] == "t1"
    assert opens(find_token(html)[0], "t1")


@pytest.mark.parametrize(
    ("owner", "user", "scope", "expected"),
    [
        ("7", OWNER, None, True),
        ("7", OTHER, "view", False),
        ("7", OTHER, "control", True),
        (None, OTHER, None, False),
    ],
)
def test_button_is_for_those_who_may_cancel(owner, user, scope, expected):
    put_silently(make_running(owner=owner))
    token = make_token("t1", scope=scope) if scope else ""
    html = render("{% task_progress task_id token=token cancel=True %}", request=make_request(user), token=token)
    assert ("cancel" in find_all(html, "task-progress")[0]) is expected


def test_button_is_shown_for_a_task_that_is_not_known_yet():
    html = render("{% task_progress task_id cancel=True %}", request=make_request())
    assert "cancel" in find_all(html, "task-progress")[0]


class BrokenCancelPolicy(Policy):
    def can_cancel(self, request: HttpRequest, snapshot: Any) -> bool:
        return bool(1 / 0)


def test_page_is_shown_though_the_policy_fails_for_the_button(settings, caplog):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": "tests.page.test_template_tag.BrokenCancelPolicy"}
    put_silently(make_running())
    html = render("{% task_progress task_id cancel=True %}", request=make_request())
    assert "cancel" not in find_all(html, "task-progress")[0]
    assert "task t1: the policy did not tell" in caplog.text


def test_token_of_the_tag_stays_and_is_not_renewed():
    put_silently(make_running())
    html = render("{% task_progress task_id token='mine' %}", request=make_request())
    assert find_token(html) == ("mine", None)


@pytest.mark.parametrize(("options", "expected"), [("", False), ("logs=True", True)])
def test_task_that_has_ended_needs_a_token_for_its_log_alone(options, expected):
    put_silently(make_running().succeeded(now=NOW))
    token, _ = find_token(render(f"{{% task_progress task_id {options} %}}", request=make_request()))
    assert (token is not None) is expected


class CountingPolicy(Policy):
    asked = 0

    def can_view(self, request: HttpRequest, snapshot: Any) -> bool:
        type(self).asked += 1
        return True


def test_policy_is_asked_once_for_the_state_and_the_token(settings):
    settings.TASKS_APP = {**settings.TASKS_APP, "POLICY": "tests.page.test_template_tag.CountingPolicy"}
    put_silently(make_running(owner="7"))
    before = CountingPolicy.asked
    assert find_token(render(request=make_request()))[0] is not None
    assert CountingPolicy.asked == before + 1


@pytest.mark.parametrize("user", [OWNER, AnonymousUser()], ids=["user", "visitor"])
@pytest.mark.parametrize(("cookies", "expected"), [({"sessionid": "x"}, 1), ({}, 0)], ids=["session", "none"])
def test_token_against_forgery_is_there_where_a_session_renews_the_token(user, cookies, expected):
    put_silently(make_running())
    request = make_request(user)
    request.COOKIES |= cookies
    assert len(find_all(render(request=request), "input")) == expected


def test_page_with_a_token_varies_by_the_session():
    """So a cache that several readers share does not give one the page of another."""
    put_silently(make_running())

    def respond(request: HttpRequest) -> HttpResponse:
        return HttpResponse(render(request=request))

    request = RequestFactory().get("/page")
    response = SessionMiddleware(AuthenticationMiddleware(respond))(request)
    assert find_token(response.content.decode())[0] is not None
    assert response["Vary"] == "Cookie"


# Cancel


def test_token_against_forgery_is_there_where_it_can_be_used():
    for options, names in (("", []), ("cancel=True", ["csrfmiddlewaretoken"])):
        html = render(f"{{% task_progress task_id {options} %}}", request=make_request())
        assert [item["name"] for item in find_all(html, "input")] == names


def test_pages_take_no_thread_from_streams_while_one_connection_hangs(settings):
    """The flusher waits in the midst of a write, while all other connections answer."""
    settings.CACHES = HANGING_CACHES
    reporter = begin(get_flusher())
    wait_until(read, "the task was stored")
    gate.shut("set_many")
    try:
        reporter.progress.update(current=1)
        wait_until(lambda: gate.waiting, "the flusher writes")
        pages = [render(request=make_request()) for _ in range(2 * MAX_THREADS)]
        assert [read_snapshot(page)["state"] for page in pages] == ["running"] * len(pages)
        assert get_store().submit(get_store().read, ["t1"]).result(DEADLINE).keys() == {"t1"}
        assert not gate.is_open
    finally:
        gate.open()
        reporter.succeed()


def test_page_does_not_wait_for_a_cache_that_hangs(settings):
    """Not even where its task runs in this process, and the flusher waits in the midst of a write."""
    settings.CACHES = HANGING_CACHES
    reporter = begin(get_flusher())
    wait_until(read, "the task was stored")
    gate.shut("set_many")  # else the flusher may hang in a read
    try:
        reporter.progress.update(current=1)
        wait_until(lambda: gate.waiting, "the flusher writes")
        gate.shut()
        assert find_all(render(), "task-progress") == [{"task-id": "t1"}]
        assert not gate.is_open
    finally:
        gate.open()
        reporter.succeed()
