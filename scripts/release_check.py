"""A release as a stranger gets it: sdist and wheel are built, installed in bare environments, and used.

`python -m scripts.release_check [--keep DIR]`; with `--keep` the two files are left there. Needs hatchling, pyte, and a
package index for the dependencies. The sdist is installed with this Python, the wheel with the newest there is.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.terminal.terminal import Terminal

from vram_tui import __version__

ROOT = Path(__file__).parents[1]
QUIET = ("--quiet", "--disable-pip-version-check")


class ReleaseError(Exception):
    """What would reach people broken."""


def build(kind: str, folder: Path) -> Path:
    """The sdist or the wheel of this checkout."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.tar.gz" if kind == "sdist" else "*.whl"))


def newest_python() -> str:
    """The newest Python of this machine that the package supports; this one where there is no other."""
    for name in ("python3.14", "python3.13", "python3.12"):
        try:
            subprocess.run([name, "-c", "import ensurepip, venv"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return name
    return sys.executable


def install(package: Path, folder: Path, python: str) -> Path:
    """Install one file in a bare environment under `folder`; the file again."""
    subprocess.run([python, "-m", "venv", folder / "env"], check=True)
    pip = (folder / "env/bin/python", "-m", "pip", "install", *QUIET)
    subprocess.run([*pip, "-c", ROOT / "constraints.txt", package], cwd=folder, check=True)
    return package


def check_contents(sdist: Path, wheel: Path) -> None:
    """The wheel holds the program and its compiled catalogue alone, the sdist all that builds and tests it."""
    inside = zipfile.ZipFile(wheel).namelist()
    for needed in ("vram_tui/py.typed", "vram_tui/data/catalog/compiled.bin", "vram_tui/data/catalog/tiers.toml"):
        if needed not in inside:
            raise ReleaseError(f"the wheel lacks {needed}")
    strangers = {name.partition("/")[0] for name in inside} - {"vram_tui", f"vram_tui-{__version__}.dist-info"}
    if strangers:
        raise ReleaseError(f"the wheel holds {', '.join(sorted(strangers))}")
    with tarfile.open(sdist) as packed:
        tops = {name.split("/")[1] for name in packed.getnames() if "/" in name}
    missing = {"tui", "catalog", "tests", "docs", "scripts", "benchmarks", "screenshots", "LICENSE"} - tops
    if missing:
        raise ReleaseError(f"the sdist lacks {', '.join(sorted(missing))}")


def check_changelog() -> None:
    """The version has its section, or is still the one being worked on."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if f"## [{__version__}]" not in text and "## [Unreleased]" not in text:
        raise ReleaseError(f"CHANGELOG.md has no section for {__version__}")


def check_installed(package: Path, folder: Path) -> None:
    """Ask what `install` put under `folder`, and open its dashboard."""
    program = folder / "env/bin/vram-tui"
    home = {"HOME": str(folder), **{f"XDG_{name}_HOME": str(folder / name) for name in ("CONFIG", "STATE", "CACHE")}}
    env = {**{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}, **home}

    def ask(*arguments: str) -> str:
        done = subprocess.run([program, *arguments], cwd=folder, env=env, check=True, capture_output=True, text=True)
        return done.stdout

    if ask("--version") != f"vram-tui {__version__}\n":
        raise ReleaseError(f"{package.name} says it is {ask('--version').strip()}")
    answer = json.loads(ask("estimate", "glm-5.1", "--quant", "Q4_K_M", "--ctx", "128K", "--json"))
    if answer["kv_bytes"] != 128 * 1024 * bytes_per_token(answer):
        raise ReleaseError(f"{package.name}: {answer['kv_bytes']} bytes of cache")
    journey([str(program)], env)
    python = subprocess.run(
        [folder / "env/bin/python", "-V"], check=True, capture_output=True, text=True
    ).stdout.strip()
    print(f"{package.name}: installed, asked and used with {python}", flush=True)


def bytes_per_token(answer: dict[str, list[dict[str, int]]]) -> int:
    """Bytes of one token in all caches, from the parts of an answer."""
    return sum(part["bytes"] // part["cells"] for part in answer["kv_parts"])


def journey(program: list[str], env: dict[str, str]) -> None:
    """A start, a model found by its name, a figure explained, and out again: as a person's first minute."""
    terminal = Terminal(program, (120, 40), dict(env))
    try:
        terminal.wait("Requirements")
        terminal.send("/glm-5.1\r")
        terminal.wait("MLA 512+64")
        terminal.send("\t=")
        terminal.wait("Terms")
        terminal.send("\x1b")
        terminal.wait("Requirements")
        terminal.send("q")
        code = terminal.wait_exit()
        if code:
            raise ReleaseError(f"the dashboard ended with {code}")
        terminal.assert_restored()
    finally:
        terminal.close()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.release_check", description=__doc__)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave sdist and wheel there")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places = {kind: folder / kind for kind in ("sdist", "wheel")}
        pythons = {"sdist": sys.executable, "wheel": newest_python()}
        for place in places.values():
            place.mkdir()
        try:
            check_changelog()
            with ThreadPoolExecutor(len(places)) as threads:
                built = list(
                    threads.map(lambda kind: install(build(kind, folder), places[kind], pythons[kind]), places)
                )
            check_contents(*built)
            for package, place in zip(built, places.values(), strict=True):
                check_installed(package, place)
        except (ReleaseError, AssertionError, subprocess.CalledProcessError) as fault:
            print(f"not fit for a release: {fault}", file=sys.stderr)
            return 1
        if asked.keep:
            asked.keep.mkdir(parents=True, exist_ok=True)
            for package in built:
                shutil.copy(package, asked.keep)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
