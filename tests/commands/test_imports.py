"""What a command may not import: start-up time is part of the answer."""

import subprocess
import sys

import pytest

HEAVY = ("textual", "rich", "pydantic", "tomli_w", "markdown_it", "pynvml", "asyncio", "hypothesis", "tomllib")


@pytest.mark.parametrize(
    "command",
    [
        ["estimate", "Qwen/Qwen3-8B", "--ctx", "8K"],
        ["estimate", "Qwen/Qwen3-8B", "--ctx", "8K", "--json"],
        ["grid", "Qwen/Qwen3-8B"],
        ["models", "qwen3"],
        ["gpus", "4090"],
        ["--version"],
    ],
)
def test_commands_import_nothing_heavy(command: list[str]) -> None:
    program = (
        "import sys; from vram_tui.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        f"print(*sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *command], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.strip() == ""
    assert done.stdout.strip()
