"""Play one history again, or many: `python -m tests.simulation SEED` from the checkout.

`--only 3,5` plays only these steps of it, as a failing test prints them; `--range FIRST:STOP:STEP` plays many.
"""

import argparse
import gc
import sys

from tests.simulation.campaign import describe, failures
from tests.simulation.history import play


def main() -> int:
    """0 if nothing was violated, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?")
    parser.add_argument("--only", default="", help="steps by number, or none")
    parser.add_argument("--range", default="", help="FIRST:STOP:STEP")
    parser.add_argument("--with-misfortunes", action="store_true", help="of the rows file, at the end")
    given = parser.parse_args()
    # What was imported is never garbage; a history leaves little.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    if given.range:
        failed = failures(range(*map(int, given.range.split(":"))))
    else:
        steps = [] if given.only == "none" else given.only.split(",")
        only = frozenset(map(int, steps)) if given.only else None
        outcome = play(given.seed, only, with_misfortunes=given.with_misfortunes)
        failed = [outcome] if outcome.violations else []
        if not failed:
            print("\n".join(outcome.lines))
            print(f"Nothing was violated: {outcome.writes} writes and {outcome.claims} claims were judged.")
    for outcome in failed:
        print(describe(outcome))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
