"""The command line: opens the dashboard, or hands the rest to one subcommand; imports only what that one needs."""

import gc
import sys
from collections.abc import Sequence
from importlib import import_module

COMMANDS: dict[str, tuple[str, str]] = {
    "show": ("show", "spec sheet and requirements grid of a model"),
    "grid": ("show", "the requirements grid alone"),
    "estimate": ("estimate", "one cell, term by term; --batch for many"),
    "compare": ("compare", "two to six models side by side"),
    "hardware": ("hardware", "what runs this cell: ranked accelerators, nodes and plans"),
    "fits": ("fits", "what fits a machine: ranked models"),
    "detect": ("detect", "the local hardware: what was read and what failed"),
    "models": ("listing", "the models of the catalogue"),
    "gpus": ("listing", "the accelerators, nodes and instances of the catalogue"),
    "quants": ("listing", "the formats of the catalogue"),
    "import": ("importing", "a model file or configuration, into your own catalogue"),
    "validate": ("validate", "check a catalogue: every fault with file, line and field"),
    "recipe": ("recipe", "the launch commands for a cell on a machine"),
    "verify": ("verify", "our figures beside llama.cpp's own allocator"),
    "completion": ("completion", "completion script for bash, zsh or fish"),
}
"""Subcommand → module in `vram_tui.commands` with `run(name, argv) -> int`, and its one line of help."""

ANSWERED, DOES_NOT_FIT, BAD_INPUT, FOUND_NOTHING = 0, 1, 2, 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code and never shows a traceback for bad input."""
    from vram_tui.commands.errors import report

    arguments = list(sys.argv[1:] if argv is None else argv)
    return report(lambda: _dispatch(arguments))


def _dispatch(arguments: list[str]) -> int:
    if arguments and arguments[0] in COMMANDS:
        name = arguments[0]
        # What a command makes lives until its end: to look for garbage early on takes a tenth of its time.
        gc.set_threshold(50_000)
        module = import_module(f"vram_tui.commands.{COMMANDS[name][0]}")
        return int(module.run(name, arguments[1:]))
    from vram_tui.commands.dashboard import run

    return run(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
