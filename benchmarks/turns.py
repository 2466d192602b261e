"""A process that runs tasks in turns: it is told how many on its input, and says in how many seconds on its output."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter

#: A function that runs so many tasks, and returns when all have ended and their ends are stored.
Run = Callable[[int], object]


class Turns:
    """The side that asks for turns."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, way: str, count: int) -> float:
        """Have so many tasks run in one of the ways of the process; return the seconds for each."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(way, count, file=self._process.stdin, flush=True)
        if not (answer := self._process.stdout.readline()):
            raise RuntimeError(f"the process that runs tasks ended in a turn of {way!r}")
        return float(answer) / count


@contextmanager
def run_turns(module: str, *, env: Mapping[str, str]) -> Iterator[Turns]:
    """Run a module that calls `take_turns`."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-m", module], env={**os.environ, **env}, text=True, **pipes) as process:
        try:
            yield Turns(process)
        finally:
            process.stdin.close()


def take_turns(ways: Mapping[str, Run]) -> None:
    """Run what is asked for until the input ends."""
    for line in sys.stdin:
        way, count = line.split()
        began = perf_counter()
        ways[way](int(count))
        print(perf_counter() - began, flush=True)
