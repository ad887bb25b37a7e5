"""Windows that llama.cpp takes no notice of: neither its caches nor its masks know them."""

import pytest

from vram_tui.catalog import load_catalog
from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.runtimes.llamacpp import resolve
from vram_tui.estimator.runtimes.llamacpp_compute import DEFAULT, compute_settings
from vram_tui.estimator.scenario import Scenario

CATALOG = load_catalog(user=False)
CTX = 8192
ANSWERS = {
    "bigcode/starcoder2-3b": (251_658_240, 58_734_720, 33_572_896),
    "facebook/cwm": (2_147_483_648, 190_855_296, 58_738_720),
    "microsoft/Phi-3-medium-128k-instruct": (1_677_721_600, 160_446_592, 50_350_112),
}
"""Caches, compute buffer, inputs in RAM: llama.cpp b11549 for headers of these entries, Q4_K_M, one GPU."""


@pytest.mark.parametrize("known", ANSWERS)
def test_masks_span_the_whole_context_where_windows_are_ignored(known: str) -> None:
    memory = compile_memory(CATALOG.subject(known), "Q4_K_M", Scenario(), CATALOG.facts)
    device = memory.devices[0]
    found = (
        device.group_bytes(CTX, "kv"),
        device.group_bytes(CTX, "compute"),
        memory.host.group_bytes(CTX, "compute"),
    )
    assert found == ANSWERS[known]


def test_a_model_without_windows_keeps_the_settings_whose_curves_are_compiled() -> None:
    runtime = CATALOG.facts.runtimes["llama.cpp"]
    for known, kept in (("meta-llama/Llama-3.1-8B", True), ("bigcode/starcoder2-3b", False)):
        settings, _ = resolve(CATALOG.subject(known).profile, Scenario(), runtime, runtime)
        shaped = compute_settings(settings.cache, settings.outputs, on_gpu=settings.on_gpu)
        assert (shaped == DEFAULT) is kept
