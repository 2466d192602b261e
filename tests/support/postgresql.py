"""A real PostgreSQL server as the default database of a test run: `python -m tests.support.postgresql COMMAND…`."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.servers import find_free_port, is_listening, run_command
from tests.support.waiting import DEADLINE, wait_until

#: Where Debian keeps the programs of each version, which are not on PATH.
DEBIAN = Path("/usr/lib/postgresql")


def find_program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs.

    Raises:
        FileNotFoundError: there is none.
    """
    found = [path for path in (shutil.which(name), *map(str, sorted(DEBIAN.glob(f"*/bin/{name}")))) if path]
    if not found:
        raise FileNotFoundError(f"there is no {name!r} on PATH or below {DEBIAN} ('apt-get install postgresql')")
    return found[-1]


@contextmanager
def run_postgresql() -> Iterator[dict[str, object]]:
    """Run a server that keeps nothing at its end, and return its entry in DATABASES."""
    port = find_free_port()
    with tempfile.TemporaryDirectory() as folder:
        # PostgreSQL refuses to run as root.
        other = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
        if other:
            shutil.chown(folder, "nobody", "nogroup")
        init = [
            find_program("initdb"),
            "-D",
            folder,
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
            "--locale=C",
            "-E",
            "UTF8",
        ]
        subprocess.run([*other, *init], check=True, stdout=subprocess.DEVNULL)
        options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
        command = [find_program("postgres"), "-D", folder, *(f"--{name}={value}" for name, value in options.items())]
        with run_command([*other, *command], cwd=Path(folder)) as server:
            wait_until(lambda: is_listening(port), f"PostgreSQL listens; it printed {server.output}")
            yield {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "postgres",
                "USER": "postgres",
                "HOST": "127.0.0.1",
                "PORT": port,
            }
            server.process.send_signal(signal.SIGINT)  # at once; otherwise it waits for clients to leave
            server.process.wait(DEADLINE)


def main(command: list[str]) -> int:
    """Run a command with PostgreSQL, or without where this machine has none, and return its exit code."""
    try:
        find_program("postgres")
    except FileNotFoundError as error:
        sys.stdout.write(f"SKIPPED: PostgreSQL: {error}\n")
        return subprocess.run(command).returncode
    with run_postgresql() as database:
        return subprocess.run(command, env={**os.environ, "TEST_DATABASE": json.dumps(database)}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
