"""What is typed at once leaves every panel on the same model."""

import pytest

from tests.terminal.conftest import Start
from vram_tui.catalog import load_catalog
from vram_tui.quantities import format_memory
from vram_tui.session.answers import Answers
from vram_tui.session.state import Session

pytestmark = pytest.mark.terminal


def test_a_burst_after_the_filter_key_leaves_no_old_figure(start: Start) -> None:
    answers = Answers(load_catalog(user=False))
    session = Session(model="Qwen/Qwen3-30B-A3B")
    row = session.selected_row
    total = format_memory(answers.cells(session, row)[session.column].bytes or 0, "gib")
    terminal = start("Qwen/Qwen3-8B", size=(80, 24))
    terminal.wait("Models")
    terminal.settle()
    terminal.send("/qwen3-30b-a3b")
    terminal.wait("30.5B params")
    terminal.settle()
    assert f"{total} GiB" in terminal.text
    grid_line = next(line for line in terminal.text.splitlines() if f" {row.label} " in line)
    assert f"{total} " in grid_line
