"""What the documents say of metrics, traces and lines of the log works as it stands there."""

import logging
import logging.config
import shutil
import ssl
import subprocess
import sys
import types
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from tasks_app import task_ended, task_run
from tests.support.certificates import make_certificate, needs_openssl
from tests.support.metrics import parse, scrape
from tests.support.nginx import needs_nginx, run_configuration
from tests.support.projects import ENV, append, find_warnings, make_shop, paste
from tests.support.readme import find_block
from tests.support.servers import Server, find_free_port, is_listening, run_command, run_daphne
from tests.support.shell import run_block
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wire_site import Site

DOCUMENT = "docs/how-to/metrics.md"
SECRET = "<a long random text>"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose metrics are shown as the document says."""
    folder = make_shop(tmp_path_factory.mktemp("shop"))
    paste(
        folder,
        find_block("python", "METRICS_TOKEN", document=DOCUMENT).replace(SECRET, "scraper"),
    )
    append(folder / "shop" / "metrics_port.py", find_block("python", "start_http_server"))
    return folder


@pytest.fixture(scope="module")
def site(shop: Path) -> Iterator[Server]:
    with run_daphne("mysite.asgi:application", env=ENV, cwd=shop) as server:
        yield server


def test_project_with_metrics_hears_no_new_warning(shop: Path):
    assert find_warnings(shop, ENV) == ["tasks_app.W001"]  # of which README speaks


def test_project_counts_its_tasks(site: Server):
    ended = 'tasks_app_tasks_ended_total{state="succeeded",task="import"}'
    Site(site).start("import", upload_id=3)
    wait_until(lambda: scrape(site).get(ended) == 1, f"it is counted: {scrape(site)}")


def test_project_counts_the_recent_tasks_of_its_cache(site: Server):
    series = 'tasks_app_tasks{state="succeeded",task="import"}'
    Site(site).start("import", upload_id=3)
    wait_until(lambda: scrape(site).get(series, 0) >= 1, f"it is counted: {scrape(site)}")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def job() -> dict[str, Any]:
    """The job of the document's configuration of Prometheus."""
    (job,) = yaml.safe_load(find_block("yaml", "scrape_configs"))["scrape_configs"]
    return dict(job)


#: The proxy by which a scraper reaches the site.
PROXY = """
server {
    listen 80;
    listen 8443 ssl;
    ssl_certificate folder/certificate.pem;
    ssl_certificate_key folder/key.pem;
    location / { proxy_pass http://site; proxy_set_header Host $http_host; }
}
"""


@needs_nginx
@needs_openssl
def test_job_of_prometheus_scrapes_the_site(job: dict[str, Any], site: Server, certificate: Path, tmp_path: Path):
    port = find_free_port()
    places = {"8443 ssl": f"127.0.0.1:{port} ssl", "folder": str(certificate.parent), "http://site": site.url}
    (target,) = job["static_configs"][0]["targets"]
    with run_configuration(tmp_path, PROXY, places):
        request = urllib.request.Request(
            f"{job['scheme']}://{target}{job['metrics_path']}".replace("mysite.example:443", f"127.0.0.1:{port}"),
            # Of the type "Bearer", unless a configuration says something else.
            headers={"Authorization": f"Bearer {job['authorization']['credentials']}".replace(SECRET, "scraper")},
        )
        context = ssl.create_default_context(cafile=str(certificate))
        with urllib.request.urlopen(request, timeout=DEADLINE, context=context) as response:
            assert "tasks_app_streams" in parse(response.read().decode())


def test_configuration_of_prometheus_is_one(tmp_path: Path):
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("no promtool on this machine; 'apt-get install prometheus'")
    (tmp_path / "prometheus.yml").write_text(find_block("yaml", "scrape_configs"))
    done = subprocess.run([program, "check", "config", "prometheus.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_processes_share_the_folder_that_the_commands_empty(tmp_path: Path):
    folder = tmp_path / "metrics"
    folder.mkdir()
    (folder / "left.db").write_text("of the last time")
    commands = find_block("sh", "PROMETHEUS_MULTIPROC_DIR").replace("/run/mysite-metrics", str(folder))
    count = "from prometheus_client import Counter; Counter('steps', 'Steps').inc()"
    run_block(f'{commands}python -c "{count}"\n', tmp_path)
    assert [path.name.partition("_")[0] for path in folder.iterdir()] == ["counter"]


def test_worker_shows_its_metrics_on_a_port_of_its_own(shop: Path):
    port = find_free_port()
    code = "import django, time; django.setup(); import shop.metrics_port; time.sleep(600)"
    with run_command([sys.executable, "-c", code], env=ENV | {"METRICS_PORT": str(port)}, cwd=shop) as worker:
        wait_until(lambda: is_listening(port), f"it listens; it printed {worker.output}")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=DEADLINE) as response:
            assert "tasks_app_streams" in parse(response.read().decode())


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What the document's receiver records."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace.get_tracer", provider.get_tracer)
    module: Any = types.ModuleType("tracing")
    exec(find_block("python", "opentelemetry", document=DOCUMENT), vars(module))
    yield exporter
    task_ended.disconnect(module.record_span)


def wait_for_span(spans: InMemorySpanExporter) -> ReadableSpan:
    wait_until(spans.get_finished_spans, "a span was recorded")
    (span,) = spans.get_finished_spans()
    return span


def test_task_is_recorded_as_a_span(spans: InMemorySpanExporter):
    with task_run("nightly") as progress:
        pass
    span = wait_for_span(spans)
    assert (span.name, dict(span.attributes or {})) == (
        "nightly",
        {"task.id": progress.task_id, "task.state": "succeeded", "task.attempt": 1},
    )
    assert span.start_time <= span.end_time


def test_span_of_a_task_that_failed_is_an_error(spans: InMemorySpanExporter):
    with pytest.raises(RuntimeError), task_run("nightly"):
        raise RuntimeError
    assert wait_for_span(spans).status.status_code is StatusCode.ERROR


def test_lines_of_a_job_show_the_id_of_its_task(capsys: pytest.CaptureFixture[str]):
    namespace: dict[str, Any] = {}
    exec(find_block("python", "TaskIdFilter"), namespace)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logging.config.dictConfig({**namespace["LOGGING"], "disable_existing_loggers": False})
    try:
        with task_run("import") as progress:
            logging.getLogger("shop").warning("Skipped a row")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert f"WARNING shop [{progress.task_id}] Skipped a row" in capsys.readouterr().err
