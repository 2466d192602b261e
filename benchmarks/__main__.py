"""`python -m benchmarks` measures everything and prints one table; `python -m benchmarks fanout idle` parts of it."""

import argparse

from . import (
    batches,
    costs,
    fanout,
    forecasts,
    hostile,
    idle,
    latency,
    pools,
    reads,
    reporting,
    scale,
    sizing,
    starts,
    storm,
    stuck,
    workers,
)
from .figures import describe_machine, print_table

PARTS = {
    "fanout": fanout,
    "idle": idle,
    "latency": latency,
    "workers": workers,
    "starts": starts,
    "reads": reads,
    "batches": batches,
    "reporting": reporting,
    "pools": pools,
    "costs": costs,
    "forecasts": forecasts,
    "stuck": stuck,
    "hostile": hostile,
    "scale": scale,
    "storm": storm,
    "sizing": sizing,
}


def main() -> None:
    """Print the table of the parts that were asked for, or of all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What tasks_app costs, beside others.")
    parser.add_argument("parts", nargs="*", metavar="part", choices=[[], *PARTS], help=f"any of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="small and short: it shows that all runs, not how fast")
    options = parser.parse_args()
    print(describe_machine(), end="\n\n")
    parts = [PARTS[name] for name in options.parts or PARTS]
    print_table(figure for part in parts for figure in part.measure(is_quick=options.quick))


if __name__ == "__main__":
    main()
