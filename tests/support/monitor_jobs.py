"""A task that has all that the monitor's page of one task shows."""

from typing import Any

from tasks_app import progress, start_batch
from tests.support.puppets import puppet, task

SCRIPT = "<script>document.title = 'hacked'</script>"


@task
def report(name: str) -> Any:
    """Load something, then obey the orders given to `name`."""
    progress.meta(quarter="Q3", source={"rows": 1200, "script": SCRIPT})
    progress.stages({"Load": 1, f"Render {SCRIPT}": 3})
    with progress.stage("Load"):
        progress.log(f"Loaded {SCRIPT}", level="warning")
    with progress.stage(f"Render {SCRIPT}"):
        return puppet.func(name)


@task
def family(names: list[str]) -> None:
    """Start a batch of puppets that are called like these."""
    start_batch(puppet, [(name,) for name in names], label="Puppets")
