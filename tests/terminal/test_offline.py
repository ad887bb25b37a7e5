"""No network unless asked: the journeys in a namespace without one, and with every attempt written down."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.importers.headers import MODELS, write_model
from tests.terminal.conftest import Start, attempts, surroundings
from tests.terminal.terminal import PROGRAM, Terminal

pytestmark = pytest.mark.terminal


def isolation() -> tuple[str, ...]:
    """What starts a program in a network namespace of its own, with no way out; empty where that is not allowed."""
    program = shutil.which("unshare")
    for options in (("-n",), ("-r", "-n")) if program else ():
        command = (str(program), *options)
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    return ()


JOURNEY: tuple[tuple[str, str], ...] = (
    ("/qwen3-30b\r", "╭─ Models"),
    ("\x1b", "╭─ Models"),
    (" ", "╭─ Models"),
    ("tlocal\r", "╭─ Models"),
    ("t\x152x rtx-3090\r", "╭─ Models"),
    ("p", "╭─ Readings"),
    ("=", "╭─ Terms"),
    ("g", "╭─ Hardware, "),
    ("w", "╭─ What fits, "),
    ("r", "llama-server"),
    ("c", "╭─ Compare "),
    ("O", "╭─ Qwen3"),
    ("x", "╭─ Export"),
    ("?", "╭─ Keys"),
)
"""Keys from the home screen, and the title that they lead to."""


def walk(terminal: Terminal, model: Path) -> None:
    """Every screen, the machine at hand, and an import of a file."""
    terminal.wait("Models")
    for keys, wanted in JOURNEY:
        terminal.send(keys)
        terminal.wait(wanted, 30)
        terminal.settle()
        terminal.send("\x1b")
        terminal.settle()
        terminal.send("\x1b")
        terminal.wait("╭─ Models")
        terminal.settle()  # or the next key comes with the escape, as alt and that key
    terminal.send(f"ie{model}\r")
    terminal.wait("nothing is written yet")
    terminal.send("\r")
    terminal.wait("Requirements")


def test_every_screen_without_a_network(start: Start, tmp_path: Path) -> None:
    """In a namespace without a network where the system allows one; attempts are refused and written down anyway."""
    model = tmp_path / "model.gguf"
    write_model(MODELS["Qwen3-0.6B"], "Q4_K_M", model)
    terminal = start(size=(120, 40), program=isolation())
    walk(terminal, model)
    terminal.send("\x1b\x1b\x1bq")
    assert terminal.wait_exit() == 0
    assert list((tmp_path / "config").rglob("*.toml")), "the import wrote its entry"


@pytest.mark.parametrize(
    "words",
    [
        ("show", "qwen3-30b-a3b"),
        ("estimate", "qwen3-30b-a3b", "--gpus", "4090", "--json"),
        ("compare", "glm-5.1", "qwen3-30b-a3b"),
        ("hardware", "glm-5.1"),
        ("fits", "2x rtx-3090"),
        ("detect",),
        ("models", "qwen"),
        ("recipe", "qwen3-30b-a3b", "--gpus", "2x rtx-3090"),
        ("import", "--from-caches"),
        ("verify", "--help"),
    ],
    ids=lambda words: words[0],
)
def test_every_command_without_a_network(home: Path, cache: Path, words: tuple[str, ...]) -> None:
    environment = {name: value for name, value in surroundings(home, cache).items() if value is not None}
    environment["PATH"] = "/usr/bin:/bin"
    told = subprocess.run([*isolation(), *PROGRAM, *words], env=environment, capture_output=True, text=True, timeout=60)
    assert told.returncode in (0, 1, 3), told.stderr
    assert told.stdout or told.returncode == 3  # an empty answer is one, too: no local models here
    assert not attempts(home, cache)


def test_what_is_asked_of_the_hub_is_seen_and_refused(home: Path, cache: Path) -> None:
    """The watch works: the one thing that needs the network asks for it, and says that there is none."""
    environment = {name: value for name, value in surroundings(home, cache).items() if value is not None}
    told = subprocess.run(
        [*PROGRAM, "import", "hub:Qwen/Qwen3-8B", "--dry-run"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert told.returncode == 2
    assert len(told.stderr.splitlines()) == 1
    assert "huggingface.co" in attempts(home, cache)
