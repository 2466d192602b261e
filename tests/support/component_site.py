"""The site of `component_settings` in a Daphne process, and a proxy that holds back what it can."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.support.servers import find_free_port, is_answering, run_daphne
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wire_site import Site

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

NGINX_CONF = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
      proxy_set_header Host $http_host;
      {options}
    }}
  }}
}}
"""


#: Has a proxy hold responses back until they are whole, whatever they say.
BUFFERING = """
      proxy_buffering on;
      proxy_ignore_headers X-Accel-Buffering;
      proxy_buffers 8 64k;
      proxy_buffer_size 64k;
"""


@contextmanager
def run_component_site(*, env: Mapping[str, str] | None = None, port: int = 0, **tasks_app: Any) -> Iterator[Site]:
    """Run the site with these values in TASKS_APP."""
    settings = {"DJANGO_SETTINGS_MODULE": "tests.support.component_settings", "WIRE_TASKS_APP": json.dumps(tasks_app)}
    with run_daphne("tests.support.component_asgi:application", env={**settings, **(env or {})}, port=port) as server:
        yield Site(server)


def make_url(site: Site, body: str, *, port: int = 0, **context: str) -> str:
    """Return the address of a page that is made of this template; `csp`, `lang` and `dir` are those of the page.

    Args:
        port: that of a proxy before the site, if not 0.
    """
    return f"http://127.0.0.1:{port or site.port}/page?{urlencode({'body': body, **context})}"


@contextmanager
def run_proxy(upstream: int, folder: Path, options: str = "") -> Iterator[int]:
    """Run nginx before a server, with further directives; its port is given."""
    port = find_free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX_CONF.format(folder=folder, port=port, upstream=upstream, options=options))
    command = [NGINX, "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
    with subprocess.Popen(command) as process:
        try:
            wait_until(lambda: is_answering(f"http://127.0.0.1:{port}/stats"), "nginx answers")
            yield port
        finally:
            process.terminate()
            process.wait(DEADLINE)
