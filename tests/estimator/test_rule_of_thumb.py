"""The rule of calculator pages, against the six figures that one page prints."""

from functools import cached_property

import pytest

from tests.estimator.truth_models import facts
from vram_tui.estimator.blocks import Attention
from vram_tui.estimator.compiling import compile  # noqa: A004
from vram_tui.estimator.compute_setting import ComputeSettings
from vram_tui.estimator.curves import Curve
from vram_tui.estimator.estimate import estimate
from vram_tui.estimator.memory import Weights
from vram_tui.estimator.model import Layer, Model, Stack
from vram_tui.estimator.profile import Profile, profile
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.traffic import Traffic
from vram_tui.estimator.weights import LayerBytes

RULE = Scenario(method="bytes-per-weight")


class Published:
    """A model as a page states it: 754 billion parameters, 80 layers with 8 key heads of 128."""

    id = "published"

    @cached_property
    def model(self) -> Model:
        layer = Layer(Attention(heads=64, kv_heads=8, head_dim=128))
        return Model(hidden_size=6144, vocab_size=150_000, stack=(Stack((layer,), 80),))

    @cached_property
    def profile(self) -> Profile:
        from dataclasses import replace

        return replace(profile(self.model), parameters=754_000_000_000)

    def weights(self, quant: str, imatrix: bool = True, mtp: bool = False) -> Weights:
        raise AssertionError("the rule counts no tensors")

    def layer_bytes(self, quant: str, imatrix: bool = True, mtp: bool = False) -> LayerBytes:
        raise AssertionError("the rule counts no layers")

    def traffic(self, quant: str, imatrix: bool = True) -> Traffic:
        raise AssertionError("the rule reads no tensors")

    def compute(self, settings: ComputeSettings, tokens: int = 0) -> tuple[Curve, Curve]:
        raise AssertionError("the rule follows no graph")


@pytest.mark.parametrize(
    ("quant", "ctx", "printed_gib"),
    [
        ("Q4_K_M", 1024, 390.0),
        ("Q4_K_M", 131_072, 429.7),
        ("Q8_0", 1024, 779.8),
        ("Q8_0", 131_072, 819.5),
        ("F16", 1024, 1559.2),
        ("F16", 131_072, 1598.9),
    ],
)
def test_the_six_printed_figures(quant: str, ctx: int, printed_gib: float) -> None:
    found = estimate(Published(), quant, ctx, RULE, facts())
    assert round(found.total_gib, 1) == printed_gib
    assert found.tier == "cluster"


def test_overhead_multiplies_weights_alone() -> None:
    subject = Published()
    none = compile(subject, "Q4_K_M", Scenario(method="bytes-per-weight", overhead_percent=0), facts())
    half = compile(subject, "Q4_K_M", Scenario(method="bytes-per-weight", overhead_percent=50), facts())
    assert half.at(1024) - none.at(1024) == half.at(131_072) - none.at(131_072) == 754_000_000_000 // 4
    assert none.at(1) - none.at(2) == -2 * 80 * 8 * 128 * 2


def test_custom_bits_are_taken_as_they_are() -> None:
    memory = compile(Published(), "bpw:4.25", RULE, facts())
    assert memory.weights.device_bytes == 754_000_000_000 * 17 // 32


@pytest.mark.parametrize("percent", [-1.0, float("nan"), 1e9])
def test_impossible_overhead_is_refused(percent: float) -> None:
    with pytest.raises(Refusal, match="overhead"):
        compile(Published(), "Q4_K_M", Scenario(method="bytes-per-weight", overhead_percent=percent), facts())
