"""Figures for the screens: what a cell says of the target."""

from dataclasses import replace

import pytest

from vram_tui.catalog import load_catalog
from vram_tui.estimator.scenario import Scenario
from vram_tui.session.answers import Answers
from vram_tui.session.explaining import Asked, explain
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


def test_a_buffer_that_falls_with_more_context_says_in_which_part_of_the_graph() -> None:
    answers = Answers(load_catalog(user=False))

    def notes(tokens: int) -> tuple[str, ...]:
        return explain(answers, Asked("ibm-granite/granite-4.0-h-tiny", Row("Q4_K_M"), tokens, Scenario())).notes

    assert not any("falls" in note for note in notes(8192))
    fall = next(note for note in notes(12288) if "falls" in note)
    assert fall.startswith("The compute buffer falls between ")
    assert "largest in the experts feed-forward of layer " in fall
