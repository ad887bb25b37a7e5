"""Bytes of the weights in formats that servers load (FP8, AWQ, GPTQ …)."""

from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import Weights
from vram_tui.estimator.model import Model
from vram_tui.estimator.refusals import Refusal


def weigh_server(model: Model, quant: str, facts: Facts, *, mtp: bool) -> Weights:
    """Bytes of a model in a server format. Raises Refusal where the model has no such format."""
    raise Refusal(f"{quant} is not weighed yet", "quant")
