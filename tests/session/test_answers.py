"""Figures for the screens: what a cell says of the target."""

from dataclasses import replace

import pytest

from vram_tui.catalog import load_catalog
from vram_tui.session.answers import Answers
from vram_tui.session.state import Row, Session


@pytest.mark.parametrize(
    ("runtime", "fit"), [("llama.cpp", "offload"), ("ollama", "offload"), ("lm-studio", "offload"), ("mlx", "no")]
)
def test_what_does_not_fit_may_leave_weights_in_ram_under_llamacpp_and_its_front_ends(runtime: str, fit: str) -> None:
    answers = Answers(load_catalog(user=False))
    session = Session(model="Qwen/Qwen3-32B", target="rtx-3060-12gb")
    quant = "MLX-4bit" if runtime == "mlx" else "Q4_K_M"
    session = replace(session, scenario=replace(session.scenario, runtime=runtime))
    assert answers.cells(session, Row(quant))[0].fit == fit
