"""`python -m benchmarks.interface [--quick] [--python PYTHON] [--write] [--check]`.

Builds the wheel, installs it beside the packages of this environment, and measures the installed program (or the one
of the environment of PYTHON). Prints the table and keeps it in `benchmarks/interface.json`; `--write` also puts it
into the README; `--check` fails where a bar is missed. Takes about five minutes, with `--quick` two.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.interface.measures import QUICK, WHOLE, Programs, environment, measure
from benchmarks.interface.table import Row, in_place, rows, text

ROOT = Path(__file__).parents[2]
KEPT, PAGE = ROOT / "benchmarks" / "interface.json", ROOT / "README.md"


def say(words: str) -> None:
    print(f"… {words}", file=sys.stderr, flush=True)


def installed(folder: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """The program from a wheel of this checkout, and what the environment must say to find it."""
    say("building and installing the wheel")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
    subprocess.run((*pip, "wheel", "--no-deps", "-w", str(folder), str(ROOT)), check=True, stderr=subprocess.DEVNULL)
    wheel = next(folder.glob("*.whl"))
    target = folder / "installed"
    subprocess.run((*pip, "install", "--no-deps", "--compile", "--target", str(target), str(wheel)), check=True)
    return (sys.executable, "-m", "vram_tui"), {"PYTHONPATH": str(target)}


def heading(kept: dict[str, Any]) -> str:
    about = kept["about"]
    return (
        f"Measured {about['day']} on {about['processor']} with {about['cores']} cores, Python {about['python']}, "
        f"Textual {about['textual']}: medians in a pseudo-terminal, by `python -m benchmarks.interface`."
    )


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.machine()


def main(arguments: list[str]) -> int:
    """Measure, print, keep; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interface", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few samples of each; nothing is kept")
    parser.add_argument("--python", type=Path, help="the interpreter of an environment where vram-tui is installed")
    parser.add_argument("--write", action="store_true", help="put the table into the README")
    parser.add_argument("--readme", action="store_true", help="put the kept table into the README, measuring nothing")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a bar is missed")
    chosen = parser.parse_args(arguments)
    if chosen.readme:
        _fill_page(json.loads(KEPT.read_text(encoding="utf-8")))
        return 0
    with suppress(AttributeError, PermissionError):  # ahead of whatever else the machine does, where we may
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    with tempfile.TemporaryDirectory(prefix="vram-tui-interface-") as name:
        folder = Path(name)
        env = environment(folder / "home")
        python = str(chosen.python or sys.executable)
        if chosen.python:
            dashboard: tuple[str, ...] = (str(chosen.python.parent / "vram-tui"),)
        else:
            dashboard, more = installed(folder)
            env |= more
        figures = measure(Programs(dashboard, python, env), QUICK if chosen.quick else WHOLE, say)
    found = rows(figures)
    print(text(found))
    missed = [row for row in found if not row.holds]
    if not chosen.quick:
        kept = {
            "about": {
                "day": datetime.now(UTC).date().isoformat(),
                "processor": processor(),
                "cores": os.cpu_count() or 1,
                "python": platform.python_version(),
                "textual": version("textual"),
            },
            "rows": [row.plain() for row in found],
        }
        KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if chosen.write:
            _fill_page(kept)
    return 1 if missed and chosen.check else 0


def _fill_page(kept: dict[str, Any]) -> None:
    found = [Row(**{"size": "", **row}) for row in kept["rows"]]
    PAGE.write_text(in_place(PAGE.read_text(encoding="utf-8"), found, heading(kept)), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
