"""What the documents say of static files, caches and proxies works as it stands there."""

import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.nginx import needs_nginx, run_configuration
from tests.support.projects import ENV, append, find_warnings, make_shop, paste, run_here, run_to_the_end
from tests.support.readme import find_block
from tests.support.servers import find_free_port, is_listening, run_command, run_daphne
from tests.support.valkey import ValkeyServer
from tests.support.waiting import DEADLINE, wait_until

DOCUMENT = "docs/how-to/production.md"
SCRIPT = "/static/tasks_app/task-progress-define.js"
PORT = "8000"
HIDDEN = 'DEBUG = False\nALLOWED_HOSTS = ["127.0.0.1"]\n'

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The project of README, with `DEBUG` off."""
    folder = make_shop(tmp_path)
    append(folder / "mysite" / "settings.py", HIDDEN)
    return folder


@pytest.fixture
def collected(shop: Path) -> Path:
    """The same, with the static files of the document."""
    paste(shop, find_block("python", "STATIC_ROOT", document=DOCUMENT))
    run_here(shop, "manage.py", "collectstatic", "--noinput")
    return shop


def read_type(url: str) -> str:
    with urllib.request.urlopen(f"{url}{SCRIPT}", timeout=DEADLINE) as script:
        return str(script.headers.get_content_type())


def test_site_serves_its_scripts_by_whitenoise(collected: Path):
    with run_daphne("mysite.asgi:application", env=ENV, cwd=collected) as server:
        assert read_type(server.url) == "text/javascript"


def test_site_without_static_files_is_warned_and_with_them_is_not(shop: Path):
    before = find_warnings(shop, ENV)
    paste(shop, find_block("python", "STATIC_ROOT", document=DOCUMENT))
    assert set(before) - set(find_warnings(shop, ENV)) == {"tasks_app.W010"}


@needs_nginx
def test_proxy_serves_the_scripts(collected: Path, tmp_path_factory: pytest.TempPathFactory):
    location = find_block("nginx", "mime.types", document=DOCUMENT)
    places = {"/srv/mysite": str(collected), "mime.types": "/etc/nginx/mime.types"}
    site = "server {\nlisten 80;\n" + location + "}\n"
    with run_configuration(tmp_path_factory.mktemp("nginx"), site, places) as proxy:
        assert read_type(proxy.url).endswith("/javascript")


def test_site_on_redis_hears_no_warning_and_runs_its_example_task_to_the_end(shop: Path):
    with ValkeyServer() as valkey:
        block = find_block("python", "RedisPubSubChannelLayer", document="docs/how-to/machines.md")
        paste(shop, block.replace("redis://localhost:6379", valkey.connection_url))
        paste(shop, find_block("python", "STATIC_ROOT", document=DOCUMENT))
        assert find_warnings(shop, ENV) == []
        last = run_to_the_end(shop, ENV)
    assert (last["state"], last["result"]) == ("succeeded", {"imported": 250})


def test_collector_leaves_alone_what_the_site_has_loaded(shop: Path):
    paste(shop, find_block("python", "gc.freeze", document=DOCUMENT))
    printed = run_here(shop, "-c", "import gc, mysite.asgi; print(gc.get_freeze_count(), len(gc.get_objects()))")
    frozen, others = map(int, printed.split())
    assert frozen > 10 * others


def find_commands() -> dict[str, str]:
    """Return the commands that start a server, by its name."""
    lines = find_block("sh", "daphne", document=DOCUMENT).splitlines()
    return {next(word for word in line.split() if "=" not in word): line for line in lines}


@pytest.mark.parametrize("name", find_commands())
def test_command_starts_the_site(name: str, shop: Path):
    pytest.importorskip("uvicorn_worker" if name == "gunicorn" else name)
    port = find_free_port()
    command = f"exec {sys.executable} -m {name}".join(find_commands()[name].replace(PORT, str(port)).split(name, 1))
    with run_command(["sh", "-c", command], env=ENV, cwd=shop) as server:
        wait_until(lambda: is_listening(port), f"{name} listens; it printed {server.output}")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/task-health", timeout=DEADLINE) as response:
            assert response.read() == b"ok\n"
