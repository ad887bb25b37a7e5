"""Caches, states and output buffers to the byte, against llama.cpp's own allocations."""

from collections import Counter
from functools import cache
from typing import Any

import pytest

from tests.estimator.truth_models import facts, scenario_of, subjects
from tests.truth import rows
from vram_tui.estimator.compiling import compile  # noqa: A004
from vram_tui.estimator.estimate import KvPart, answer, kv_parts
from vram_tui.estimator.memory import Memory
from vram_tui.estimator.profile import Profile
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario

# How llama.cpp's own log names the parts.
PARTS = {"full": "kv_full", "mla": "kv_full", "swa": "kv_swa", "chunked": "kv_swa", "indexer": "kv_indexer"}


@cache
def _compiled(model: str, quant: str, scenario: Scenario) -> Memory:
    return compile(subjects()[model], quant, scenario, facts())


def _memory(row: dict[str, Any]) -> Memory:
    return _compiled(row["model"], row["quant"], scenario_of(row))


def test_caches_states_and_contexts_are_exact_in_every_row() -> None:
    wrong: list[object] = []
    checked = 0
    for row in rows("llamacpp_allocations"):
        if "error" in row:
            continue
        memory, ctx = _memory(row), row["n_ctx"]
        found = (
            memory.ctx_real(ctx),
            memory.ctx_per_seq(ctx),
            memory.group_bytes(ctx, "kv"),
            memory.group_bytes(ctx, "state"),
            memory.host.group_bytes(ctx, "output"),
        )
        expected = tuple(row[key] for key in ("n_ctx_real", "n_ctx_seq", "kv_bytes", "recurrent_bytes", "output_bytes"))
        checked += 1
        if found != expected:
            wrong.append((row["model"], row["device"], ctx, found, expected))
    assert checked == 8853
    assert not wrong


def test_parts_of_the_cache_have_their_bytes_and_cells() -> None:
    wrong: list[object] = []
    for row in rows("llamacpp_allocations"):
        expected = row.get("kv_parts", {})
        if "error" in row or not expected.keys() <= {"kv_full", "kv_swa", "kv_indexer"}:
            continue
        found = kv_parts(_memory(row), row["n_ctx"])
        sizes: Counter[str] = Counter()
        cells: dict[str, int] = {}
        for part in found:
            sizes[PARTS[part.kind]] += part.bytes
            cells[PARTS[part.kind]] = part.cells
        if {name: {"bytes": sizes[name], "cells": cells[name]} for name in cells} != expected:
            wrong.append((row["model"], row["n_ctx"], found, expected))
    assert not wrong


def test_parts_add_up_to_the_cache() -> None:
    for row in rows("llamacpp_allocations"):
        if "error" not in row and set(row["kv_parts"]) & {"other", "dsv4"}:
            parts = kv_parts(_memory(row), row["n_ctx"])
            assert sum(part.bytes for part in parts) == row["kv_bytes"], row["model"]


def test_what_llamacpp_refuses_is_refused_with_its_reason() -> None:
    refused = [row for row in rows("llamacpp_allocations") if "error" in row]
    assert refused
    for row in refused:
        with pytest.raises(Refusal) as caught:
            _memory(row)
        assert caught.value.reason in row["error"]
        assert caught.value.field == "kv"


def test_quantized_values_need_flash_attention() -> None:
    with pytest.raises(Refusal, match="needs flash attention"):
        compile(subjects()["Qwen3-8B"], "Q4_K_M", Scenario(kv_v="q8_0", flash_attn="off"), facts())


@pytest.mark.parametrize(
    ("scenario", "field"),
    [
        (Scenario(kv_k="q3_x"), "kv"),
        (Scenario(seqs=0), "seqs"),
        (Scenario(flash_attn="perhaps"), "flash_attn"),
        (Scenario(outputs="all"), "outputs"),
        (Scenario(method="magic"), "method"),
    ],
)
def test_impossible_settings_name_their_field(scenario: Scenario, field: str) -> None:
    with pytest.raises(Refusal) as caught:
        compile(subjects()["Qwen3-8B"], "Q4_K_M", scenario, facts())
    assert caught.value.field == field


def test_a_format_of_another_runtime_is_refused() -> None:
    with pytest.raises(Refusal, match="does not load AWQ"):
        compile(subjects()["Qwen3-8B"], "AWQ", Scenario(), facts())


def test_auto_turns_flash_attention_off_where_no_kernel_takes_the_heads() -> None:
    from dataclasses import replace

    from vram_tui.estimator.blocks import Attention
    from vram_tui.estimator.model import Layer, Model, Stack
    from vram_tui.estimator.subject import FoldedSubject

    layer = Layer(Attention(heads=40, kv_heads=40, head_dim=96, v_dim=64))
    odd = FoldedSubject("odd", Model(hidden_size=2560, vocab_size=1000, stack=(Stack((layer,), 2),)), facts())
    automatic = compile(odd, "F16", Scenario(), facts())
    off = compile(odd, "F16", Scenario(flash_attn="off"), facts())
    forced = compile(odd, "F16", Scenario(flash_attn="on"), facts())
    assert automatic.at(4096) == off.at(4096) > forced.at(4096)
    assert "off" in automatic.warnings[0]
    assert "CPU" in forced.warnings[0]
    # b11549 turns "auto" on for a quantized V cache ("it is required"), whether a kernel takes the heads or not.
    packed = Scenario(kv_k="q8_0", kv_v="q8_0")
    required = compile(odd, "F16", packed, facts())
    assert required.at(4096) == compile(odd, "F16", replace(packed, flash_attn="on"), facts()).at(4096)
    assert "CPU" in required.warnings[0]


def test_mtp_adds_one_context_of_its_own_layers() -> None:
    subject = subjects()["GLM-5.1"]
    without = compile(subject, "Q4_K_M", Scenario(), facts())
    loaded = compile(subject, "Q4_K_M", Scenario(mtp=True), facts())
    more = loaded.group_bytes(8192, "kv") - without.group_bytes(8192, "kv")
    assert more == 8192 * 2 * (512 + 64 + 128)


def test_ollama_is_asked_for_the_context_of_one_request() -> None:
    subject = subjects()["Qwen3-8B"]
    engine = compile(subject, "Q4_K_M", Scenario(seqs=4), facts())
    front_end = compile(subject, "Q4_K_M", Scenario(runtime="ollama", seqs=4), facts())
    assert front_end.group_bytes(4096, "kv") == engine.group_bytes(4 * 4096, "kv")


def test_profiles_survive_being_written_down() -> None:
    for subject in subjects().values():
        assert Profile.from_plain(subject.profile.to_plain()) == subject.profile


def test_an_answer_shows_its_parts() -> None:
    memory = compile(subjects()["gemma-3-27b"], "Q4_K_M", Scenario(), facts())
    found = answer("gemma", memory, 8192, Scenario(), facts())
    assert KvPart("swa", 52, 1536, 1, 654_311_424) in found.kv_parts
    assert KvPart("full", 10, 8192, 1, 671_088_640) in found.kv_parts
    assert sum(term.bytes for term in found.terms) == found.total_bytes == found.to_json()["total_bytes"]
