"""Rankings against what compiling every cell by itself gives: the same bytes, the best format, the fewest devices."""

from dataclasses import replace

import pytest

from vram_tui.catalog import load_catalog
from vram_tui.catalog.hardware_text import parse_hardware
from vram_tui.catalog.offers import offers
from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.devices import Machine
from vram_tui.estimator.fits import (
    DEFAULT_FORMATS,
    MODEL_SORTS,
    Fitter,
    ModelFit,
    bits_of,
    formats_for,
    rank_models,
    sort_fits,
)
from vram_tui.estimator.placing import (
    HARDWARE_SORTS,
    Offer,
    Placement,
    Placer,
    explain_placement,
    loads,
    matches,
    rank_hardware,
    sort_placements,
    verdict,
)
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB

CATALOG = load_catalog(user=False)
FACTS = CATALOG.facts
OFFERS = offers(CATALOG.hardware)
MODELS = (
    "meta-llama/Llama-3.1-8B-Instruct",
    "Qwen/Qwen3-30B-A3B",
    "google/gemma-3-27b-it",
    "openai/gpt-oss-20b",
    "zai-org/GLM-4.5-Air",
    "zai-org/GLM-5.1",
    "Qwen/Qwen3-Next-80B-A3B-Instruct",
    "LiquidAI/LFM2-1.2B",
    "state-spaces/mamba-2.8b-hf",
)
SCENARIOS = (
    Scenario(),
    Scenario(kv_k="q8_0", kv_v="q8_0"),
    Scenario(seqs=4, kv_unified=False),
    Scenario(runtime="ollama", seqs=2),
    Scenario(method="bytes-per-weight"),
)


def subject(model: str) -> Subject:
    return CATALOG.subject(model)


def on(text: str, ram_gib: int | None = None) -> Machine:
    return parse_hardware(text, CATALOG.hardware, host_ram_bytes=None if ram_gib is None else ram_gib * GIB)


def cell_bytes(model: str, quant: str, ctx: int, scenario: Scenario, machine: Machine) -> int:
    memory = compile_memory(subject(model), quant, replace(scenario, machine=machine), FACTS)
    return memory.devices[0].at(ctx)


def fit(model: str, machine: Machine, ctx: int = 8192, scenario: Scenario | None = None) -> ModelFit:
    fitter = Fitter(DEFAULT_FORMATS, ctx, scenario or Scenario(), machine, FACTS)
    return fitter.settle(subject(model), fitter.fit(subject(model)))


# Models for a machine


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("hardware", ["rtx-4090", "rtx-3060-12gb", "h100-sxm5-80gb", "m3-ultra-512gb"])
def test_the_best_format_is_the_one_that_trying_all_of_them_finds(hardware: str, scenario: Scenario) -> None:
    machine = on(hardware)
    usable = machine.devices[0].usable_bytes
    ranked = {
        one.model: one for one in rank_models(map(subject, MODELS), DEFAULT_FORMATS, 8192, scenario, machine, FACTS)
    }
    assert set(ranked) == set(MODELS)
    fitter = Fitter(DEFAULT_FORMATS, 8192, scenario, machine, FACTS)
    for model in MODELS:
        one = fitter.settle(subject(model), ranked[model])
        needs = {quant: cell_bytes(model, quant, one.ctx, scenario, machine) for quant in DEFAULT_FORMATS}
        fitting = [quant for quant in DEFAULT_FORMATS if needs[quant] <= usable]
        assert (one.fit in ("fits", "tight")) == bool(fitting), model
        if fitting:
            assert one.quant == max(fitting, key=lambda quant: bits_of(quant, FACTS))
            assert one.used_bytes == needs[one.quant]
            assert one.fit == verdict(one.used_bytes, usable)


def test_the_largest_context_is_the_memory_s_own() -> None:
    machine = on("rtx-4090")
    for model in MODELS:
        one = fit(model, machine)
        if one.fit in ("fits", "tight"):
            memory = compile_memory(subject(model), one.quant, Scenario(machine=machine), FACTS)
            assert one.largest_ctx == memory.largest_ctx_usable()


@pytest.mark.parametrize("scenario", [Scenario(ubatch=2048), Scenario(kv_k="q8_0", kv_v="q8_0"), Scenario(seqs=4)])
def test_settings_that_nothing_is_kept_for_settle_to_the_same_answer(scenario: Scenario) -> None:
    """The first pass follows the compute buffer at one context; settled rows are what compiling gives."""
    catalog = load_catalog(user=False)
    machine = on("rtx-4090", 64)
    fitter = Fitter(DEFAULT_FORMATS, 8192, scenario, machine, catalog.facts)
    inexact = 0
    for model in MODELS:
        quick = fitter.fit(catalog.subject(model))
        inexact += not quick.exact
        one = fitter.settle(catalog.subject(model), quick)
        assert one.exact
        assert (one.quant, one.fit) == (quick.quant, quick.fit), model
        assert one.used_bytes == pytest.approx(quick.used_bytes, rel=1e-4)
        assert one == fitter.settle(catalog.subject(model), one)
        if one.fit in ("fits", "tight"):
            memory = compile_memory(catalog.subject(model), one.quant, replace(scenario, machine=machine), FACTS)
            assert one.used_bytes == memory.devices[0].at(one.ctx)
            assert one.largest_ctx == memory.largest_ctx_usable()
    assert inexact > 3


def test_a_short_model_is_judged_at_its_own_context() -> None:
    one = fit("state-spaces/mamba-2.8b-hf", on("rtx-4090"), ctx=1 << 17)
    assert one.ctx == one.native_ctx < 1 << 17


def test_more_memory_never_takes_a_coarser_format() -> None:
    for model in MODELS[:6]:
        bits = [
            bits_of(found.quant, FACTS) if found.fit in ("fits", "tight") else 0.0
            for found in (fit(model, on(f"{size}GiB")) for size in (4, 8, 12, 16, 24, 32, 48, 80, 141, 256, 512, 2048))
        ]
        assert bits == sorted(bits), model
        assert bits[-1] == 16.0


def test_experts_go_to_ram_before_anything_else() -> None:
    one = fit("Qwen/Qwen3-30B-A3B", on("rtx-4060-laptop-8gb", 32), ctx=1 << 15)
    assert one.fit == "offload"
    assert one.quant == "Q4_K_M"
    assert one.offload is not None
    assert one.offload.weights == 0
    assert 0 < one.offload.experts < 1
    whole = cell_bytes("Qwen/Qwen3-30B-A3B", "Q4_K_M", 1 << 15, Scenario(), on("rtx-4060-laptop-8gb"))
    assert one.ram_bytes == whole - one.usable_bytes
    assert one.speed is not None
    assert one.speed.decode.tokens_per_s < (fit("Qwen/Qwen3-30B-A3B", on("rtx-4090")).decode_tok_s or 0)


def test_ram_bounds_what_can_be_left_there() -> None:
    assert fit("zai-org/GLM-5.1", on("rtx-4090", 64)).fit == "no"
    assert fit("zai-org/GLM-5.1", on("rtx-4090", 768)).fit == "offload"
    little = fit("Qwen/Qwen3-30B-A3B", on("rtx-4060-laptop-8gb", 16), ctx=1 << 15)
    plenty = fit("Qwen/Qwen3-30B-A3B", on("rtx-4060-laptop-8gb", 64), ctx=1 << 15)
    assert little.largest_ctx <= plenty.largest_ctx


def test_a_dense_model_leaves_layers_in_ram() -> None:
    one = fit("google/gemma-3-27b-it", on("rtx-4060-laptop-8gb", 64))
    assert one.offload is not None
    assert one.offload.weights == pytest.approx(one.offload.experts)
    assert one.offload.weights > 0


def test_without_devices_the_ram_is_the_machine() -> None:
    machine = on("cpu", 32)
    one = fit("Qwen/Qwen3-30B-A3B", machine)
    assert one.usable_bytes == 32 * GIB
    assert one.used_bytes == cell_bytes("Qwen/Qwen3-30B-A3B", one.quant, one.ctx, Scenario(), machine)


def test_free_memory_counts_where_it_is_asked_for() -> None:
    machine = replace(on("rtx-4090"), free_bytes=(6 * GIB,))
    total, free = fit(MODELS[0], machine), fit(MODELS[0], machine, scenario=Scenario(free=True))
    assert free.usable_bytes == 6 * GIB
    assert bits_of(free.quant, FACTS) < bits_of(total.quant, FACTS)


def test_several_devices_hold_more_and_settle_to_the_exact_split() -> None:
    machine = on("2x rtx-3090")
    fitter = Fitter(DEFAULT_FORMATS, 8192, Scenario(), machine, FACTS)
    for model in MODELS:
        quick = fitter.fit(subject(model))
        exact = fitter.settle(subject(model), quick)
        assert exact.exact or quick.exact
        alone = fit(model, on("rtx-3090"))
        if alone.fit in ("fits", "tight"):
            assert bits_of(exact.quant, FACTS) >= bits_of(alone.quant, FACTS)
        if exact.fit in ("fits", "tight"):
            assert exact.used_bytes <= exact.usable_bytes
            # The estimate that orders the rows promises at least what the split gives, and is close to it.
            assert bits_of(quick.quant, FACTS) >= bits_of(exact.quant, FACTS)
            if quick.quant == exact.quant:
                assert abs(quick.used_bytes - exact.used_bytes) < 0.06 * exact.usable_bytes, model


def test_formats_that_a_runtime_does_not_load_give_way_to_its_own() -> None:
    assert formats_for("llama.cpp", FACTS, DEFAULT_FORMATS) == DEFAULT_FORMATS
    served = formats_for("vllm", FACTS, ("Q2_K", "Q4_K_M"))
    assert served
    assert all("vllm" in FACTS.formats[quant].runtimes for quant in served)
    one = fit("Qwen/Qwen3-30B-A3B", on("8x h100-sxm5-80gb"), scenario=Scenario(runtime="vllm"))
    assert one.fit == "fits"
    assert "vllm" in FACTS.formats[one.quant].runtimes


def test_a_runtime_that_does_not_run_there_says_so() -> None:
    assert loads("mlx", FACTS, on("m3-ultra-512gb").devices)
    assert not loads("mlx", FACTS, on("rtx-4090").devices)
    assert loads("mlx", FACTS, on("24GiB").devices)
    one = fit(MODELS[0], on("rtx-4090"), scenario=Scenario(runtime="mlx"))
    assert one.fit == "no"
    assert "mlx" in one.reason


@pytest.mark.parametrize("by", MODEL_SORTS)
def test_what_fits_comes_first_in_every_order(by: str) -> None:
    found = [fit(model, on("rtx-3060-12gb", 32)) for model in MODELS]
    order = [{"fits": 0, "tight": 0, "offload": 1, "no": 2}[one.fit] for one in sort_fits(found, by)]
    assert order == sorted(order)
    assert len(set(order)) == 3


# Hardware for a cell


def placements(
    model: str = "Qwen/Qwen3-30B-A3B", quant: str = "Q4_K_M", ctx: int = 1 << 15, scenario: Scenario | None = None
) -> tuple[Placement, ...]:
    return rank_hardware(subject(model), quant, ctx, scenario or Scenario(), FACTS, OFFERS)


@pytest.mark.parametrize("scenario", [Scenario(), Scenario(kv_k="q8_0", kv_v="q8_0"), Scenario(seqs=4)])
def test_placements_hold_what_their_own_machine_is_compiled_to(scenario: Scenario) -> None:
    asked = subject("Qwen/Qwen3-30B-A3B")
    placer = Placer(asked, "Q4_K_M", 1 << 15, scenario, FACTS)
    for one in placements(scenario=scenario)[::9]:
        settled = placer.settle(one)
        memory = compile_memory(asked, "Q4_K_M", replace(scenario, machine=settled.machine), FACTS)
        assert settled.exact
        assert settled.used_bytes == max(device.at(1 << 15) for device in memory.devices), one.text
        assert settled.usable_bytes == settled.machine.devices[0].usable_bytes
        assert settled.fits == (settled.used_bytes <= settled.usable_bytes)
        # An even spread is the least that the fullest device can hold.
        assert one.used_bytes <= settled.used_bytes or settled.count != one.count


def test_a_card_comes_with_the_fewest_that_hold_the_cell() -> None:
    counts = set()
    for one in placements("zai-org/GLM-4.5-Air"):
        earlier = [count for count in one.offer.counts if count < one.count]
        if one.fits and earlier:
            counts.add(one.count)
            fewer = replace(one.offer, counts=(earlier[-1],))
            before = rank_hardware(subject("zai-org/GLM-4.5-Air"), "Q4_K_M", 1 << 15, Scenario(), FACTS, (fewer,))
            assert not before[0].fits, one.text
            assert before[0].reason
    assert counts >= {2, 4}


def test_what_a_person_types_for_a_row_names_its_machine() -> None:
    for one in placements():
        named = on(one.text)
        assert [device.id for device in named.devices] == [device.id for device in one.machine.devices], one.text
        assert named.usable_bytes == one.machine.usable_bytes


def test_the_ranking_has_cards_machines_and_instances_and_the_cheapest_first() -> None:
    found = placements()
    assert {"consumer", "apple", "unified", "datacenter", "node", "instance"} <= {one.offer.kind for one in found}
    fits = [one.fits for one in found]
    assert fits == sorted(fits, reverse=True)
    prices = [one.price_usd for one in found if one.fits and one.price_usd is not None]
    assert prices == sorted(prices)
    assert len(prices) > 50
    hours = [one.machine.price_usd_hour for one in found if one.fits and one.machine.price_usd_hour is not None]
    assert hours == sorted(hours)
    assert all(one.price_usd is None for one in found if one.offer.kind == "instance")
    assert all(one.price_date for one in found if one.price_usd or one.machine.price_usd_hour)


@pytest.mark.parametrize("by", HARDWARE_SORTS)
def test_every_order_keeps_what_fits_ahead(by: str) -> None:
    fits = [one.fits for one in sort_placements(placements("zai-org/GLM-5.1"), by)]
    assert fits == sorted(fits, reverse=True)
    assert set(fits) == {True, False}


def test_a_machine_and_the_same_loose_cards_stand_there_once() -> None:
    keys = [
        (one.machine.devices[0].id, len(one.machine.devices), one.machine.devices[0].usable_bytes)
        for one in placements("zai-org/GLM-5.1")
        if one.offer.kind != "instance"
    ]
    assert len(keys) == len(set(keys))


def test_servers_get_equal_ranks_and_a_legal_plan() -> None:
    found = placements("zai-org/GLM-5.1", "FP8", scenario=Scenario(runtime="vllm"))
    held = [one for one in found if one.fits]
    assert held
    for one in held[:12]:
        scenario = Scenario(runtime="vllm", machine=one.machine)
        memory = compile_memory(subject("zai-org/GLM-5.1"), "FP8", scenario, FACTS)
        assert memory.fits(1 << 15)
        assert one.used_bytes == max(device.at(1 << 15) for device in memory.devices)
        assert one.plan.devices == len(memory.devices)
        assert one.speed is not None
    assert all(one.machine.devices[0].device_class.partition("-")[0] != "metal" for one in found)


def test_a_format_that_the_runtime_never_loads_is_refused() -> None:
    with pytest.raises(Refusal):
        placements("zai-org/GLM-5.1", "FP8")
    with pytest.raises(KeyError):
        placements("zai-org/GLM-5.1", "Q99")


def test_why_not_fewer_and_the_plans_of_a_server() -> None:
    cards = next(one for one in OFFERS if one.id == "h100-sxm5-80gb")
    scenario = Scenario(runtime="vllm")
    model = subject("zai-org/GLM-4.5-Air")
    one = rank_hardware(model, "FP8", 1 << 15, scenario, FACTS, (replace(cards, counts=(1, 2, 4, 8)),))[0]
    assert one.count > 1
    choices, fewer = explain_placement(model, "FP8", 1 << 15, scenario, FACTS, one)
    assert fewer.startswith(one.offer.text(one.count // 2) + ":")
    assert "GiB" in fewer
    assert any(choice.fits for choice in choices)
    assert explain_placement(model, "FP8", 1 << 15, scenario, FACTS, replace(one, count=1))[1] == ""


def test_offers_are_filtered_by_kind_vendor_and_words() -> None:
    def ids(**wanted: str) -> set[str]:
        return {one.id for one in OFFERS if matches(one, **wanted)}

    assert "rtx-4090-24gb" in ids(words="nvidia 4090") or "rtx-4090" in ids(words="nvidia 4090")
    assert all(offer.kind == "apple" for offer in OFFERS if offer.id in ids(kind="apple"))
    assert {offer.vendor for offer in OFFERS if offer.id in ids(vendor="amd")} == {"AMD"}
    assert ids(words="rent") == {offer.id for offer in OFFERS if offer.kind == "instance"}
    assert ids(words="no such thing") == set()
    assert len(ids()) == len(OFFERS)


def test_a_machine_of_the_person_s_own_can_be_ranked() -> None:
    own = Offer("2x rtx-3090", "consumer", on("2x rtx-3090"))
    one = rank_hardware(subject(MODELS[1]), "Q4_K_M", 1 << 15, Scenario(), FACTS, (own,))[0]
    assert one.text == "2x rtx-3090"
    assert one.fits
