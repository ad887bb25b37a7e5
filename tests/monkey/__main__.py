"""``python -m tests.monkey --keys 20000 --seed 1``: the long run."""

import argparse
import asyncio
import sys
import time
from math import inf

from tests.monkey.monkey import FaultError, Monkey
from vram_tui.app.driver import install


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.monkey", description=Monkey.__doc__)
    parser.add_argument("--keys", type=int, default=20_000, help="keys, mouse events and resizes together")
    parser.add_argument("--seconds", type=float, default=inf, help="stop after so long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="print every thousandth step")
    options = parser.parse_args()
    install()  # frames are painted as the program paints them
    begun = time.monotonic()
    monkey = Monkey(options.seed, verbose=options.verbose)
    try:
        report = asyncio.run(monkey.run(options.keys, options.seconds))
    except FaultError as fault:
        print(f"FAULT {fault}")
        return 1
    print(f"seed {options.seed}: {report} in {time.monotonic() - begun:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
