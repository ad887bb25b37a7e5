"""Speed: published measurements within their bars, bands that hold, and how the laws behave."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise
from statistics import median

import pytest
from benchmarks.names import Names
from benchmarks.speed_rows import Bench, Compared, plan_of

from tests.truth import rows
from vram_tui.catalog import Catalog, load_catalog
from vram_tui.catalog.hardware import HardwareCatalogue
from vram_tui.catalog.hardware_files import load_hardware
from vram_tui.estimator import speed_llamacpp, speed_serving
from vram_tui.estimator.devices import Device, Machine
from vram_tui.estimator.estimate import estimate
from vram_tui.estimator.plans import machine_of
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.sharding import Plan
from vram_tui.estimator.speed import Offload, Speed, offload_of, speed
from vram_tui.estimator.speed_constants import look
from vram_tui.estimator.traffic import ExpertTraffic, traffic

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
GPT_OSS = "openai/gpt-oss-120b"


@cache
def catalog() -> Catalog:
    return load_catalog()


@cache
def hardware() -> HardwareCatalogue:
    return load_hardware(catalog().root)


def device(known: str) -> Device:
    return hardware().devices_of(known)[0]


@cache
def compared() -> tuple[Compared, ...]:
    found = catalog()
    names = Names(entry.id for entry in found.entries)
    bench = Bench(found.root, found.facts, hardware(), names, lambda known: found.subject(known).model)
    return tuple(bench.compare(rows("speeds")))


def chosen(kind: str, keep: Callable[[Compared], bool]) -> list[Compared]:
    return [one for one in compared() if one.kind == kind and keep(one)]


def median_error(found: list[Compared]) -> float:
    return median(abs(one.error) for one in found)


def is_llama(one: Compared) -> bool:
    return one.group.startswith("llama.cpp")


def test_every_row_names_hardware_model_and_format_of_the_catalogue() -> None:
    assert len([one for one in compared() if one.kind != "first-token"]) == len(rows("speeds"))


@pytest.mark.parametrize(("chip", "least"), [("cuda", 150), ("metal", 100)])
def test_decode_of_llama_cpp_on_one_device(chip: str, least: int) -> None:
    found = chosen("decode", lambda one: one.group == f"llama.cpp {chip} single")
    assert len(found) >= least
    assert median_error(found) <= 0.12


def test_decode_of_split_layers() -> None:
    found = chosen("decode", lambda one: one.group == "llama.cpp cuda split")
    assert len(found) >= 100
    assert median_error(found) <= 0.12


@pytest.mark.parametrize(("kind", "bar"), [("dense", 0.20), ("experts", 0.30)])
def test_decode_of_servers(kind: str, bar: float) -> None:
    found = chosen("decode", lambda one: not is_llama(one) and one.model_kind == kind)
    assert len(found) >= 500
    assert median_error(found) <= bar
    for runtime in ("vllm", "sglang", "tensorrt-llm"):
        assert median_error([one for one in found if one.group.startswith(runtime)]) <= bar


@pytest.mark.parametrize("chip", ["cuda", "metal"])
def test_prompts_of_llama_cpp(chip: str) -> None:
    found = chosen("prefill", lambda one: one.group == f"llama.cpp {chip} single" and one.rate.basis == "fitted")
    assert len(found) >= 80
    assert median_error(found) <= 0.30


def test_first_tokens_of_servers() -> None:
    found = chosen("first-token", lambda one: one.rate.basis == "fitted")
    assert len(found) >= 500
    assert median_error(found) <= 0.30


@pytest.mark.parametrize(("llama", "half_width"), [(True, 0.20), (False, 0.35)])
def test_the_printed_band_holds(llama: bool, half_width: float) -> None:
    found = chosen("decode", lambda one: is_llama(one) == llama)
    assert sum(one.inside for one in found) / len(found) >= 0.80
    assert median(one.rate.band for one in found) <= half_width


def test_habits_of_the_serving_tables() -> None:
    row = {"batch": 4}
    assert plan_of({**row, "tp": 8, "pp": 1, "ep": 8, "dp": 1}) == (Plan(8, 1, 8, 1), 4)
    assert plan_of({**row, "tp": 64, "pp": 1, "ep": 8, "dp": 1}) == (Plan(8, 1, 8, 1), 4)
    assert plan_of({**row, "tp": 4, "pp": 1, "ep": 16, "dp": 4}) == (Plan(1, 1, 4, 4), 16)


def on(known: str, count: int = 1, model: str = LLAMA, quant: str = "Q4_K_M", **change: object) -> Speed:
    found = catalog()
    scenario = replace(Scenario(machine=machine_of(device(known), count)), **change)  # type: ignore[arg-type]
    answer = speed(found.subject(model), quant, 4096, scenario, found.facts)
    assert answer is not None
    return answer


def test_faster_memory_and_smaller_weights_decode_faster() -> None:
    slow, fast = on("rtx-3090-24gb"), on("rtx-5090-32gb")
    assert slow.decode.tokens_per_s < fast.decode.tokens_per_s
    assert on("rtx-5090-32gb", quant="Q8_0").decode.tokens_per_s < fast.decode.tokens_per_s
    assert slow.decode.low < slow.decode.tokens_per_s < slow.decode.high


def test_small_models_are_bound_by_launches_not_by_memory() -> None:
    parts = dict(on("rtx-5090-32gb", model="Qwen/Qwen3-30B-A3B").decode.seconds)
    assert parts["kernels"] > parts["weights"]


def test_longer_contexts_and_more_requests_slow_each_request() -> None:
    found = catalog()
    scenario = Scenario(runtime="vllm", machine=machine_of(device("h200-sxm-141gb"), 8), seqs=1)
    subject = found.subject(GPT_OSS)
    rates = []
    for seqs in (1, 8, 64):
        answer = speed(subject, "MXFP4", 8192, replace(scenario, seqs=seqs), found.facts, plan=Plan(8))
        assert answer is not None
        rates.append((answer.decode.tokens_per_s, answer.throughput))
    assert [rate for rate, _ in rates] == sorted((rate for rate, _ in rates), reverse=True)
    assert [total for _, total in rates] == sorted(total for _, total in rates)
    short = speed(subject, "MXFP4", 1024, scenario, found.facts, plan=Plan(8))
    long = speed(subject, "MXFP4", 131_072, scenario, found.facts, plan=Plan(8))
    assert short is not None
    assert long is not None
    assert long.decode.tokens_per_s < short.decode.tokens_per_s


def test_windows_and_sparse_attention_stop_reading() -> None:
    found = catalog()
    window = traffic(found.subject(GPT_OSS).model, "MXFP4", found.facts)
    # 18 sliding layers of 128 tokens; 18 full ones, 2048 bytes a token each.
    assert window.cache_bytes(65_536) == 18 * 2048 * (65_536 + 128)
    sparse = traffic(found.subject("zai-org/GLM-5.1").model, "FP8", found.facts)
    assert sparse.cache_bytes(65_536) - sparse.cache_bytes(32_768) == 78 * 128 * 2 * 32_768


def test_batches_touch_more_experts_up_to_all() -> None:
    group = ExpertTraffic(1, 128, 4, 1000, 1000)
    assert group.distinct(1) == pytest.approx(4 / 128)
    assert group.distinct(2) < 2 * group.distinct(1)
    assert group.distinct(10_000) == pytest.approx(1)


def test_parameters_that_work_for_a_token() -> None:
    found = catalog()
    for known, billions in ((GPT_OSS, 5.13), ("deepseek-ai/DeepSeek-V3", 36.6), ("zai-org/GLM-5.1", 40.8)):
        assert traffic(found.subject(known).model, "BF16", found.facts).active_parameters / 1e9 == pytest.approx(
            billions, abs=0.06
        )


def test_experts_in_ram_decode_at_the_pace_of_the_ram() -> None:
    found = catalog()
    machine = Machine("desk", (device("rtx-5090-32gb"),), host_bandwidth_gbs=89.6)
    subject, scenario = found.subject(GPT_OSS), Scenario(machine=machine)
    answer = speed(subject, "MXFP4_MOE", 2048, scenario, found.facts, offload=Offload(experts=1.0, layers=36))
    assert answer is not None
    # Measured on dual-channel DDR5 with all experts in RAM: 25.6 tokens/s.
    assert answer.decode.low < 25.6 < answer.decode.high
    whole = speed(subject, "MXFP4_MOE", 2048, scenario, found.facts)
    assert whole is not None
    assert whole.decode.tokens_per_s > 3 * answer.decode.tokens_per_s
    assert answer.prefill is not None
    assert whole.prefill is not None
    assert answer.prefill.tokens_per_s < whole.prefill.tokens_per_s


def test_split_layers_do_not_decode_faster() -> None:
    one, four = on("rtx-4090-24gb"), on("rtx-4090-24gb", 4)
    assert 0.75 * one.decode.tokens_per_s < four.decode.tokens_per_s < one.decode.tokens_per_s
    assert one.prefill is not None
    assert four.prefill is not None
    assert four.prefill.tokens_per_s > one.prefill.tokens_per_s


def test_tensor_parallel_scales_less_than_the_cards() -> None:
    found = catalog()
    model = traffic(found.subject("meta-llama/Llama-3.1-70B-Instruct").model, "FP8", found.facts)
    runtime, card = found.facts.runtimes["vllm"], device("h200-sxm-141gb")
    rates = [
        speed_serving.decode(model, card, Plan(tp), runtime, found.facts, batch=4, context=1024, compute="fp8")
        for tp in (1, 2, 4, 8)
    ]
    for one, two in pairwise(rates):
        assert one.tokens_per_s < two.tokens_per_s < 2 * one.tokens_per_s
    # Measured with four requests: 21.5, 13.9, 9.85 and 7.93 ms a token.
    for rate, measured_ms in zip(rates, (21.5, 13.9, 9.85, 7.93), strict=True):
        assert 1000 / rate.tokens_per_s == pytest.approx(measured_ms, rel=0.30)


def test_unknown_devices_fall_back_to_a_wide_band() -> None:
    found = catalog()
    runtime = found.facts.runtimes["llama.cpp"]
    odd = replace(device("rtx-4090-24gb"), id="odd", vendor="Nobody", device_class="npu-unheard-of")
    assert look(runtime, odd, "eta").basis == "assumed"
    model = traffic(found.subject(LLAMA).model, "Q4_K_M", found.facts)
    rate = speed_llamacpp.decode(model, [speed_llamacpp.Share(odd)], runtime)
    assert rate.basis == "assumed"
    assert rate.band >= 0.35


@pytest.mark.parametrize("runtime", ["ollama", "lm-studio", "koboldcpp"])
def test_front_ends_are_as_fast_as_their_engine(runtime: str) -> None:
    assert on("rtx-4090-24gb", runtime=runtime).decode == on("rtx-4090-24gb").decode


@pytest.mark.parametrize(
    ("runtime", "quant", "known"),
    [
        ("vllm", "FP8", "l40s-48gb"),
        ("sglang", "FP8", "a100-sxm4-80gb"),
        ("tensorrt-llm", "FP8", "h100-sxm5-80gb"),
        ("mlx", "MLX-4bit", "m3-max-40c-64gb"),
        ("exllamav3", "EXL3-4.0", "rtx-3090-24gb"),
        ("transformers", "BF16", "rtx-4090-24gb"),
    ],
)
def test_every_runtime_has_a_speed(runtime: str, quant: str, known: str) -> None:
    answer = on(known, quant=quant, runtime=runtime)
    bandwidth = device(known).bandwidth_gbs
    assert bandwidth is not None
    found = catalog()
    floor = traffic(found.subject(LLAMA).model, quant, found.facts).weight_bytes() / bandwidth / 1e9
    assert 0 < answer.decode.tokens_per_s < 1 / floor
    assert answer.first_token_s is not None
    assert answer.first_token_s > 0


def test_an_estimate_carries_its_speed_where_the_model_fits() -> None:
    found = catalog()
    subject = found.subject(LLAMA)
    answer = estimate(subject, "Q4_K_M", 8192, Scenario(machine=machine_of(device("rtx-4090-24gb"), 1)), found.facts)
    assert answer.speed is not None
    assert answer.speed["decode_tok_s"] == pytest.approx(on("rtx-4090-24gb").decode.tokens_per_s, rel=0.2)
    assert 0 < (answer.speed["band"] or 0) < 0.4
    assert estimate(subject, "Q4_K_M", 8192, Scenario(), found.facts).speed is None
    small = Scenario(machine=machine_of(device("gtx-1050-ti-4gb"), 1))
    assert estimate(subject, "F16", 8192, small, found.facts).speed is None


def test_what_stays_in_ram_is_what_the_cpu_reads() -> None:
    found = catalog()
    work = found.subject(GPT_OSS).traffic("MXFP4_MOE")
    experts = sum(group.bytes for group in work.experts)
    assert offload_of(work, 0, Scenario()) == Offload()
    half = offload_of(work, experts // 2, Scenario(n_cpu_moe=18))
    assert (half.weights, half.layers) == (0.0, 18)
    assert half.experts == pytest.approx(0.5)
    layers = offload_of(work, (experts + work.always_bytes) // 4, Scenario(ngl=27))
    assert layers.weights == layers.experts == pytest.approx(0.25)
    assert layers.layers == 9


def test_no_speed_without_a_machine_or_its_bandwidth() -> None:
    found = catalog()
    subject = found.subject(LLAMA)
    assert speed(subject, "Q4_K_M", 4096, Scenario(), found.facts) is None
    blind = replace(device("rtx-4090-24gb"), bandwidth_gbs=None)
    assert speed(subject, "Q4_K_M", 4096, Scenario(machine=machine_of(blind, 1)), found.facts) is None


@pytest.mark.parametrize("cards", [1, 2, 8])
@pytest.mark.parametrize("runtime", sorted(load_catalog().facts.runtimes))
def test_every_runtime_has_a_speed_on_any_number_of_devices(runtime: str, cards: int) -> None:
    facts = catalog().facts
    for model in (LLAMA, GPT_OSS):
        for card in hardware().accelerators.values():
            machine = Machine("", hardware().devices_of(card.id)[:1] * cards)
            found = speed(catalog().subject(model), "F16", 4096, Scenario(runtime=runtime, machine=machine), facts)
            assert found is None or 0 < found.decode.tokens_per_s < 1e6, card.id
