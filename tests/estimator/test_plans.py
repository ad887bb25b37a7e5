"""Plans: what is legal and why not, bytes of a rank, published recipes, the fewest and the cheapest devices."""

from dataclasses import replace
from functools import cache

import pytest

from vram_tui.catalog import Catalog, load_catalog
from vram_tui.catalog.hardware import HardwareCatalogue
from vram_tui.catalog.hardware_files import load_hardware
from vram_tui.estimator.devices import Device, Machine
from vram_tui.estimator.plans import best, cheapest, fewest, legal_plans, machine_of, plans, why_not
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.server_weights import rule_of
from vram_tui.estimator.sharding import Plan, illegal, rank_weights, stages


@cache
def catalog() -> Catalog:
    return load_catalog()


@cache
def hardware() -> HardwareCatalogue:
    return load_hardware(catalog().root)


def device(known: str) -> Device:
    return hardware().devices_of(known)[0]


H100, H200 = "h100-sxm5-80gb", "h200-sxm-141gb"
RECIPES = [
    ("zai-org/GLM-5.1", "FP8", H200, 8, "vllm"),
    ("zai-org/GLM-5.1", "FP8", H200, 8, "sglang"),
    ("deepseek-ai/DeepSeek-V3", "FP8-BLOCK", H200, 8, "vllm"),
    ("deepseek-ai/DeepSeek-V3", "FP8-BLOCK", H200, 8, "sglang"),
    ("deepseek-ai/DeepSeek-V3", "FP8-BLOCK", H100, 16, "vllm"),
    ("deepseek-ai/DeepSeek-V3", "FP8-BLOCK", H100, 16, "sglang"),
    ("Qwen/Qwen3-235B-A22B", "FP8", H100, 4, "vllm"),
    ("Qwen/Qwen3-235B-A22B", "FP8", H100, 4, "sglang"),
    ("openai/gpt-oss-120b", "MXFP4", H100, 1, "vllm"),
    ("openai/gpt-oss-120b", "MXFP4", H100, 1, "sglang"),
]


@pytest.mark.parametrize(("model", "quant", "card", "count", "runtime"), RECIPES)
def test_published_recipes_hold_and_one_device_fewer_is_refused(
    model: str, quant: str, card: str, count: int, runtime: str
) -> None:
    found = catalog()
    subject = found.subject(model)
    scenario = Scenario(runtime=runtime, machine=machine_of(device(card), count))
    choice = best(subject, quant, 32_768, scenario, found.facts)
    assert choice is not None
    assert choice.plan.devices == count
    assert 0 < choice.worst_bytes <= choice.usable_bytes
    assert why_not(subject, quant, 32_768, scenario, found.facts) == ""
    fewer = replace(scenario, machine=machine_of(device(card), count - 1))
    reason = why_not(subject, quant, 32_768, fewer, found.facts)
    assert len(reason.split()) >= 4
    assert best(subject, quant, 32_768, fewer, found.facts) is None


def test_the_stated_plan_of_a_recipe_holds() -> None:
    """DeepSeek-V3 on two nodes as its model card runs it: tensor parallel over all 16."""
    found = catalog()
    machine = machine_of(device(H100), 16)
    scenario = Scenario(runtime="vllm", machine=machine, tp=16, pp=1, ep=1, dp=1)
    (choice,) = plans(found.subject("deepseek-ai/DeepSeek-V3"), "FP8-BLOCK", 32_768, scenario, found.facts)
    assert choice.plan == Plan(16)
    assert choice.fits


@pytest.mark.parametrize(
    ("model", "quant", "plan", "words"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "BF16", Plan(3), "32 heads do not divide by 3"),
        ("meta-llama/Llama-3.1-8B-Instruct", "BF16", Plan(1, 33), "only 32 layers"),
        ("meta-llama/Llama-3.1-8B-Instruct", "BF16", Plan(2, 1, 2), "no experts"),
        ("Qwen/Qwen3-235B-A22B", "FP8-BLOCK", Plan(8), "groups of 128"),
        ("Qwen/Qwen3-235B-A22B", "FP8-BLOCK", Plan(2, 1, 8, 1), "tp × dp"),
        ("openai/gpt-oss-120b", "MXFP4", Plan(0), "at least one device"),
    ],
)
def test_illegal_plans_say_why(model: str, quant: str, plan: Plan, words: str) -> None:
    found = catalog()
    assert words in illegal(found.subject(model).model, plan, rule_of(quant, found.facts))


@pytest.mark.parametrize(
    ("model", "quant", "plan"),
    [
        ("Qwen/Qwen3-235B-A22B", "FP8-BLOCK", Plan(8, 1, 8)),
        ("openai/gpt-oss-120b", "MXFP4", Plan(8)),
        ("deepseek-ai/DeepSeek-V3", "FP8-BLOCK", Plan(16)),
        ("Qwen/Qwen3-30B-A3B", "BF16", Plan(8)),
    ],
)
def test_legal_plans(model: str, quant: str, plan: Plan) -> None:
    found = catalog()
    assert illegal(found.subject(model).model, plan, rule_of(quant, found.facts)) == ""


def test_every_plan_uses_all_devices_once() -> None:
    found = catalog()
    model, rule = found.subject("deepseek-ai/DeepSeek-V3").model, rule_of("FP8-BLOCK", found.facts)
    for count in (1, 2, 4, 7, 8, 16):
        for pipelines in ("nodes", "any"):
            tried = [plan for plan, _ in legal_plans(model, rule, count, pipelines=pipelines)]
            assert len(set(tried)) == len(tried)
            assert all(plan.devices == count for plan in tried)


@pytest.mark.parametrize("plan", [Plan(8), Plan(4, 2), Plan(1, 1, 8, 8), Plan(2, 2, 4, 2)])
def test_ranks_together_hold_the_model_and_what_is_copied(plan: Plan) -> None:
    found = catalog()
    model, rule = found.subject("deepseek-ai/DeepSeek-V3").model, rule_of("BF16", found.facts)
    whole = rank_weights(model, rule, Plan()).largest
    held = sum(rank_weights(model, rule, plan).stage_bytes) * plan.tp * plan.dp
    assert whole <= held
    # Experts are never copied when they are spread: they are nine tenths of the model.
    assert held < whole * 1.02 + plan.dp * 0.1 * whole


def test_stages_are_even_and_the_last_is_not_the_longest() -> None:
    assert stages(61, 2) == ((0, 31), (31, 61))
    assert stages(80, 4) == ((0, 20), (20, 40), (40, 60), (60, 80))
    for layers in (5, 61, 78):
        for pp in (1, 2, 3, 5):
            bounds = stages(layers, pp)
            sizes = [end - begin for begin, end in bounds]
            assert sum(sizes) == layers
            assert max(sizes) - min(sizes) <= 1
            assert sizes[-1] == min(sizes)


def test_plans_are_ranked_by_what_holds_then_by_speed() -> None:
    found = catalog()
    scenario = Scenario(runtime="vllm", machine=machine_of(device(H100), 4))
    ranked = plans(found.subject("Qwen/Qwen3-235B-A22B"), "FP8", 131_072, scenario, found.facts)
    assert [choice.fits for choice in ranked] == sorted((choice.fits for choice in ranked), reverse=True)
    rates = [choice.speed.decode.tokens_per_s for choice in ranked if choice.speed]
    assert rates == sorted(rates, reverse=True)
    refused = [choice for choice in ranked if not choice.fits]
    assert refused
    assert all("GiB" in choice.reason or "divide" in choice.reason for choice in refused)


def test_a_pipeline_of_single_cards_is_hinted_not_proposed() -> None:
    found = catalog()
    subject = found.subject("zai-org/GLM-5.1")
    scenario = Scenario(runtime="vllm", machine=machine_of(device(H200), 7))
    assert "pp=7" in why_not(subject, "FP8", 32_768, scenario, found.facts)
    asked = best(subject, "FP8", 32_768, scenario, found.facts, pipelines="any")
    assert asked is not None
    assert asked.plan == Plan(1, 7)


def test_fewest_devices() -> None:
    found = catalog()
    answer = fewest(
        found.subject("Qwen/Qwen3-235B-A22B"), "FP8", 32_768, Scenario(runtime="vllm"), device(H100), found.facts
    )
    assert answer is not None
    assert answer.choice.plan.devices == 4
    assert "3" in answer.one_fewer
    none = fewest(
        found.subject("deepseek-ai/DeepSeek-V3"),
        "FP8-BLOCK",
        32_768,
        Scenario(runtime="vllm"),
        device("rtx-4090-24gb"),
        found.facts,
        counts=(1, 2, 4, 8),
    )
    assert none is None


def test_the_cheapest_machine_that_holds_it_comes_first() -> None:
    found = catalog()
    small, large = device("rtx-3090-24gb"), device(H100)
    machines = [
        Machine("dear", (replace(large, price_usd=30_000.0),)),
        Machine("unpriced", (replace(large, price_usd=None),)),
        Machine("too small", (replace(small, price_usd=1.0, usable_bytes=8 << 30),)),
        Machine("cheap", (replace(small, price_usd=900.0),)),
    ]
    subject = found.subject("meta-llama/Llama-3.1-8B-Instruct")
    ranked = cheapest(subject, "BF16", 8192, Scenario(runtime="vllm"), machines, found.facts)
    assert [choice.machine.name for choice in ranked] == ["cheap", "dear", "unpriced"]


def test_mixed_cards_are_for_llama_cpp_only() -> None:
    found = catalog()
    mixed = Machine("mixed", (device("rtx-3090-24gb"), device("rtx-4090-24gb")))
    subject = found.subject("meta-llama/Llama-3.1-8B-Instruct")
    with pytest.raises(Refusal, match="equal cards"):
        plans(subject, "BF16", 8192, Scenario(runtime="vllm", machine=mixed), found.facts)
    (choice,) = plans(subject, "Q4_K_M", 8192, Scenario(machine=mixed), found.facts)
    assert choice.fits
