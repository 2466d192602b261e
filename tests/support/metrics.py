"""What a scraper reads of a site's metrics."""

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tests.support.servers import Server
from tests.support.waiting import DEADLINE

Values = dict[str, float]


def scrape(server: Server) -> Values:
    """Return the value of each time series by its name and labels, as in `name{label="value"}`."""
    request = urllib.request.Request(f"{server.url}/task-metrics", headers={"Authorization": "Bearer scraper"})
    with urllib.request.urlopen(request, timeout=DEADLINE) as response:
        return parse(response.read().decode())


def parse(text: str) -> Values:
    """Return the same of a text in the format of Prometheus."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {name_series(sample.name, sample.labels): sample.value for sample in samples}


def name_series(name: str, labels: dict[str, str]) -> str:
    shown = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{shown}}}" if shown else name
