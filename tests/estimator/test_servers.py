"""Servers: bytes of their formats, their caches against printed logs, pools, and the runtimes' own rules."""

from dataclasses import replace
from functools import cache
from statistics import median

import pytest
from benchmarks.names import Names, bare
from benchmarks.server_logs import LogCase, Logs

from tests.truth import rows
from vram_tui.catalog import Catalog, load_catalog
from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.devices import Device
from vram_tui.estimator.memory import Memory
from vram_tui.estimator.plans import machine_of
from vram_tui.estimator.pools import pool
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.runtimes.layers import Row, State
from vram_tui.estimator.runtimes.vllm_pages import paging
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.server_weights import rule_of, weigh_server
from vram_tui.estimator.units import GIB, MIB

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
H100 = Device("h100", "H100", "NVIDIA", "datacenter", "cuda-hopper", 81_559 * MIB, 81_081 * MIB)
SERVED = (
    ("vllm", "BF16"),
    ("sglang", "BF16"),
    ("tensorrt-llm", "BF16"),
    ("mlx", "MLX-4bit"),
    ("exllamav3", "EXL3-4.0"),
    ("transformers", "NF4"),
)


@cache
def catalog() -> Catalog:
    return load_catalog()


def compiled(model: str, quant: str, scenario: Scenario) -> Memory:
    found = catalog()
    return compile_memory(found.subject(model), quant, scenario, found.facts)


@cache
def cases() -> tuple[LogCase, ...]:
    found = catalog()
    names = Names(entry.id for entry in found.entries)
    return tuple(Logs(found.facts, names, found.subject).cases(rows("run_logs")))


def test_logs_of_every_kind_are_replayed() -> None:
    assert len(cases()) >= 19
    assert {case.kind for case in cases()} == {"plain", "window", "hybrid"}


def test_names_lose_what_only_tells_the_storage() -> None:
    assert bare("casperhansen/deepseek-r1-distill-qwen-14b-awq") == "deepseek-r1-distill-qwen-14b"
    assert bare("/models/DeepSeek-R1-0528-w4a8-per-channel/") == "deepseek-r1-0528"
    names = Names(["Qwen/Qwen3-8B", "Qwen/Qwen3-8B-Base", "google/gemma-3-4b-it"])
    assert names.find("someone/Qwen3-8B-GPTQ-Int4-g128") == "Qwen/Qwen3-8B"
    assert names.find("gemma-3-4b") == "google/gemma-3-4b-it"
    with pytest.raises(KeyError):
        names.find("nobody/unheard-of")


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_bytes_per_token_of_printed_pools(case: LogCase) -> None:
    assert abs(case.per_token_error) <= (0.03 if case.kind == "hybrid" else 0.005)


def test_tokens_from_the_printed_memory() -> None:
    errors = sorted(abs(case.tokens_error) for case in cases())
    assert median(errors) <= 0.01
    assert errors[int(0.95 * len(errors))] <= 0.05


def test_pools_of_complete_logs_are_predicted() -> None:
    """The pool from the card's size alone: activations differ by version, so a tenth of the card is allowed."""
    known = {case.id: case for case in cases() if case.pool is not None}
    assert len(known) >= 3
    for case in known.values():
        assert case.pool is not None
        assert case.measured_pool is not None
        assert case.card_bytes is not None
        assert abs(case.pool - case.measured_pool) <= 0.1 * case.card_bytes, case.id
    assert median(abs(case.pool_error) for case in known.values()) <= 0.1


@pytest.mark.parametrize(
    ("model", "quant", "tp", "printed_gib", "tolerance"),
    [
        ("Qwen/Qwen3-8B", "BF16", 1, 15.27, 0.005),
        ("Qwen/Qwen2.5-1.5B-Instruct", "F16", 1, 2.8833, 0.005),
        ("Qwen/Qwen3-0.6B", "BF16", 1, 1.1201, 0.01),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "BF16", 1, 56.9342, 0.005),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "FP8", 1, 29.08, 0.005),
        ("Qwen/Qwen2.5-14B-Instruct", "AWQ", 1, 9.3795, 0.01),
        ("Qwen/Qwen3.6-27B", "BF16", 2, 25.69, 0.015),
    ],
)
def test_weights_of_a_rank_are_what_vllm_printed(
    model: str, quant: str, tp: int, printed_gib: float, tolerance: float
) -> None:
    memory = compiled(model, quant, Scenario(runtime="vllm", tp=tp))
    held = memory.devices[0].group_bytes(4096, "weights")
    assert held / GIB == pytest.approx(printed_gib, rel=tolerance)


def test_formats_by_hand() -> None:
    found = catalog()
    model = found.subject(LLAMA).model
    layer = 4096 * 4096 * 2 + 2 * 4096 * 1024 + 3 * 4096 * 14336
    embedding, norms = 128256 * 4096, 65 * 4096
    assert weigh_server(model, "BF16", found.facts, mtp=False).device_bytes == 2 * 8_030_261_248
    plain = 2 * (2 * embedding + norms)
    # 4 bits, a 16-bit scale and a 4-bit zero point for every 128 weights of a row.
    awq = 32 * layer * (4 + 20 / 128) / 8
    assert weigh_server(model, "AWQ", found.facts, mtp=False).device_bytes == pytest.approx(plain + awq, abs=64)
    # MLX quantizes embedding and head too: 4 bits, scale and bias of 16 bit for every 64.
    mlx = (32 * layer + 2 * embedding) * 4.5 / 8 + 2 * norms
    assert weigh_server(model, "MLX-4bit", found.facts, mtp=False).device_bytes == pytest.approx(mlx, abs=64)
    # ExLlama leaves the embedding at 16 bit in RAM and the head at 6 bit.
    exl = weigh_server(model, "EXL3-4.0", found.facts, mtp=False)
    assert exl.host_bytes == 2 * embedding
    assert exl.device_bytes == pytest.approx(32 * layer / 2 + embedding * 6 / 8 + 2 * norms, abs=64)
    # A scale of 32 bit for every square of 128 × 128.
    block = 32 * layer * (8 + 32 / 128**2) / 8
    assert weigh_server(model, "FP8-BLOCK", found.facts, mtp=False).device_bytes == pytest.approx(plain + block, abs=64)


def test_every_server_format_has_a_rule_and_a_size_between_its_bits_and_16() -> None:
    found = catalog()
    model = found.subject(LLAMA).model
    full = weigh_server(model, "BF16", found.facts, mtp=False).loaded_bytes
    for quant, known in found.facts.formats.items():
        if known.kind != "server":
            continue
        rule = rule_of(quant, found.facts)
        size = weigh_server(model, quant, found.facts, mtp=False).loaded_bytes
        assert full * min(rule.bits, 16) / 16 <= size <= full, quant


def test_experts_alone_are_quantized_where_the_format_says_so() -> None:
    found = catalog()
    model = found.subject("openai/gpt-oss-120b").model
    size = weigh_server(model, "MXFP4", found.facts, mtp=False).loaded_bytes
    assert size / GIB == pytest.approx(60.8, rel=0.005)


@pytest.mark.parametrize(
    ("model", "per_token"),
    [
        (LLAMA, 131_072),
        ("deepseek-ai/DeepSeek-V3", 70_272),
        ("deepseek-ai/DeepSeek-V3.2", 78_324),
        ("zai-org/GLM-5.1", 100_152),
    ],
)
def test_growth_of_vllm_caches(model: str, per_token: int) -> None:
    memory = compiled(model, "BF16", Scenario(runtime="vllm"))
    assert memory.group_bytes(65536, "kv") - memory.group_bytes(32768, "kv") == 32768 * per_token


def test_windows_are_reserved_by_blocks() -> None:
    memory = compiled("openai/gpt-oss-120b", "MXFP4", Scenario(runtime="vllm", max_batched_tokens=2048))
    # 18 full layers of 2048 bytes a token; 18 sliding ones hold 128 - 1 + 2048 tokens in blocks of 16, and one more.
    blocks = -(-(127 + 2048) // 16) + 1
    assert memory.group_bytes(65536, "kv") == 18 * 2048 * (65536 + blocks * 16)


def test_attention_blocks_grow_until_they_hold_a_state() -> None:
    # Qwen3-Next on one rank, state in 16 bit: 12 attention layers of 2 heads of 256, 36 recurrent ones.
    rows_ = [(Row("full", 2048),)] * 12
    states = [State(8192, 3, 32 * 128 * 128)] * 36
    pages = paging(rows_, states, block_tokens=16, in_flight_tokens=8192, state_element_bytes=2)
    attention, recurrent = pages.groups
    assert attention.block_tokens == 544
    assert recurrent.groups == 3
    assert pages.block_bytes == 544 * 2048 * 12
    assert pages.blocks(5440) == 10 + 3


def test_heads_are_copied_where_ranks_exceed_them() -> None:
    one = compiled("Qwen/Qwen3-30B-A3B", "BF16", Scenario(runtime="vllm"))
    eight = compiled("Qwen/Qwen3-30B-A3B", "BF16", Scenario(runtime="vllm", tp=8))
    assert eight.group_bytes(8192, "kv") == 2 * one.group_bytes(8192, "kv")


def test_latent_caches_are_copied_to_every_rank_but_not_to_replicas() -> None:
    model = "deepseek-ai/DeepSeek-V3"
    one = compiled(model, "FP8-BLOCK", Scenario(runtime="vllm", seqs=8))
    ranks = compiled(model, "FP8-BLOCK", Scenario(runtime="vllm", tp=8, seqs=8))
    replicas = compiled(model, "FP8-BLOCK", Scenario(runtime="vllm", tp=1, ep=8, dp=8, seqs=8))
    assert ranks.group_bytes(8192, "kv") == 8 * one.group_bytes(8192, "kv")
    assert replicas.group_bytes(8192, "kv") == one.group_bytes(8192, "kv")


def test_packed_latent_rows() -> None:
    plain = compiled("deepseek-ai/DeepSeek-V3", "FP8-BLOCK", Scenario(runtime="vllm"))
    packed = compiled("deepseek-ai/DeepSeek-V3", "FP8-BLOCK", Scenario(runtime="vllm", kv_k="fp8_ds_mla"))
    assert packed.group_bytes(65536, "kv") * 1152 == plain.group_bytes(65536, "kv") * 656


def test_sglang_sizes_its_window_pool_by_a_share_of_the_full_one() -> None:
    memory = compiled("openai/gpt-oss-120b", "MXFP4", Scenario(runtime="sglang"))
    assert memory.group_bytes(10_000, "kv") == pytest.approx(18 * 2048 * 10_000 * 1.8, abs=20_000)


def test_sglang_keeps_three_states_a_request() -> None:
    model = "Qwen/Qwen3-Next-80B-A3B-Instruct"
    sglang = compiled(model, "BF16", Scenario(runtime="sglang", seqs=2))
    tensorrt = compiled(model, "BF16", Scenario(runtime="tensorrt-llm", seqs=2))
    assert sglang.group_bytes(4096, "state") == 3 * tensorrt.group_bytes(4096, "state") > 0


def test_exllama_keeps_sliding_layers_whole_and_mlx_rotates_them() -> None:
    exl = compiled("google/gemma-3-27b-it", "EXL3-4.0", Scenario(runtime="exllamav3"))
    mlx = compiled("google/gemma-3-27b-it", "MLX-4bit", Scenario(runtime="mlx"))
    row = 16 * 128 * 2 * 2
    assert exl.group_bytes(65536, "kv") == 62 * row * 65536
    assert mlx.group_bytes(65536, "kv") == row * (10 * 65536 + 52 * 1024)
    assert exl.group_bytes(257, "kv") == exl.group_bytes(512, "kv")


def test_grouped_caches() -> None:
    half = compiled(LLAMA, "MLX-4bit", Scenario(runtime="mlx", kv_k="q8_0", kv_v="q8_0"))
    full = compiled(LLAMA, "MLX-4bit", Scenario(runtime="mlx"))
    # 8 bits and a scale and a bias of 16 bit for every 64 elements.
    assert half.group_bytes(4096, "kv") * 16 == full.group_bytes(4096, "kv") * 8.5


@pytest.mark.parametrize(("runtime", "quant"), SERVED)
@pytest.mark.parametrize("model", [LLAMA, "google/gemma-3-27b-it", "Qwen/Qwen3-Next-80B-A3B-Instruct"])
def test_answers_are_sums_and_never_fall(runtime: str, quant: str, model: str) -> None:
    memory = compiled(model, quant, Scenario(runtime=runtime, seqs=3))
    last = 0
    for ctx in (1, 255, 256, 257, 4096, 4097, 32_768, 131_072):
        for device in memory.devices:
            assert device.at(ctx) == device.direct(ctx) == sum(term.bytes for term in device.terms(ctx))
        assert memory.at(ctx) >= last
        last = memory.at(ctx)
    more = compiled(model, quant, Scenario(runtime=runtime, seqs=6))
    assert more.group_bytes(8192, "kv") == 2 * memory.group_bytes(8192, "kv")


@pytest.mark.parametrize(
    ("runtime", "quant", "change", "field"),
    [
        ("vllm", "Q4_K_M", {}, "quant"),
        ("vllm", "BF16", {"kv_k": "q8_0"}, "kv"),
        ("transformers", "BF16", {"kv_k": "q8_0"}, "kv"),
        ("vllm", "BF16", {"tp": 3}, "tp"),
        ("vllm", "BF16", {"ep": 2, "tp": 2}, "ep"),
        ("sglang", "BF16", {"pp": 64}, "pp"),
    ],
)
def test_refusals_say_why(runtime: str, quant: str, change: dict[str, int], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        compiled(LLAMA, quant, replace(Scenario(runtime=runtime), **change))  # type: ignore[arg-type]
    assert refused.value.field == field
    assert len(refused.value.reason.split()) > 4


@pytest.mark.parametrize("runtime", ["vllm", "sglang", "tensorrt-llm"])
def test_a_pool_serves_what_it_says(runtime: str) -> None:
    found = catalog()
    scenario = Scenario(runtime=runtime, machine=machine_of(H100, 1), seqs=8)
    made = pool(found.subject(LLAMA), "BF16", 8192, scenario, found.facts)
    assert made.blocks * made.paging.block_bytes <= made.bytes
    assert made.tokens(8192) == pytest.approx(made.bytes / 131_072, rel=0.01)
    assert made.requests(8192) == pytest.approx(made.tokens(8192) / 8192, rel=0.01)
    assert made.paging.blocks(made.largest_ctx) <= made.blocks < made.paging.blocks(made.largest_ctx + 32)
    assert made.requests(made.largest_ctx) >= 1


def test_the_suggested_share_of_the_card_is_the_smallest_that_serves() -> None:
    found = catalog()
    subject = found.subject(LLAMA)
    scenario = Scenario(runtime="vllm", machine=machine_of(H100, 1), seqs=8)
    suggested = pool(subject, "BF16", 8192, scenario, found.facts).suggested
    assert suggested is not None
    enough = pool(subject, "BF16", 8192, replace(scenario, gpu_memory_utilization=suggested), found.facts)
    short = pool(subject, "BF16", 8192, replace(scenario, gpu_memory_utilization=suggested - 0.02), found.facts)
    assert enough.requests(8192) >= 8 > short.requests(8192)


def test_a_pool_needs_hardware_and_a_server() -> None:
    found = catalog()
    with pytest.raises(Refusal):
        pool(found.subject(LLAMA), "BF16", 8192, Scenario(runtime="vllm"), found.facts)
    scenario = Scenario(runtime="transformers", machine=machine_of(H100, 1))
    with pytest.raises(Refusal):
        pool(found.subject(LLAMA), "NF4", 8192, scenario, found.facts)
