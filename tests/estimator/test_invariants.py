"""What must hold for every model, shipped or random, in every scenario: laws that no figure may break."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.estimator.truth_models import facts
from vram_tui.catalog import Catalog, load_catalog
from vram_tui.catalog.hardware_text import parse_hardware
from vram_tui.estimator.blocks import (
    Attention,
    DeltaNet,
    Experts,
    Gated,
    Mamba,
    Mamba2,
    Mixer,
    Mla,
    Plain,
    ShortConv,
)
from vram_tui.estimator.compiling import compile  # noqa: A004
from vram_tui.estimator.curves import STEP_TOKENS
from vram_tui.estimator.estimate import estimate
from vram_tui.estimator.memory import GROUPS, MAX_TOKENS, Memory
from vram_tui.estimator.model import Layer, Model, Stack
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import FoldedSubject, Subject

QUANTS = ("Q2_K", "IQ4_XS", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16", "bpw:3.7")
KV_TYPES = ("q4_0", "iq4_nl", "q4_1", "q5_0", "q5_1", "q8_0", "f16", "f32")
"""In the order of their bytes."""
contexts = st.integers(1, 1 << 20)

widths = st.sampled_from([64, 256, 512, 1024, 1536])
heads = st.sampled_from([1, 2, 4, 8, 16])


@st.composite
def attentions(draw: st.DrawFn) -> Attention:
    kv_heads = draw(heads)
    return Attention(
        kv_heads * draw(st.sampled_from([1, 2, 4, 8])),
        kv_heads,
        draw(st.sampled_from([64, 128, 256])),
        window=draw(st.sampled_from([0, 0, 128, 1024, 4096])),
        bias=draw(st.sampled_from(["none", "qkv"])),
        qk_norm=draw(st.sampled_from(["none", "head"])),
        sinks=draw(st.booleans()),
    )


mixers: st.SearchStrategy[Mixer] = st.one_of(
    attentions(),
    st.builds(
        Mla,
        heads,
        st.sampled_from([256, 512]),
        st.just(128),
        st.just(64),
        st.just(128),
        q_rank=st.sampled_from([0, 768]),
    ),
    st.builds(DeltaNet, st.just(16), st.sampled_from([16, 32]), st.just(128), st.just(128), st.just(4)),
    st.builds(Mamba, st.sampled_from([512, 2048]), st.just(16), st.sampled_from([16, 128]), st.just(4)),
    st.builds(Mamba2, st.sampled_from([1024, 4096]), st.just(128), st.sampled_from([1, 8]), st.just(64), st.just(4)),
    st.builds(ShortConv, st.just(3)),
)
feed_forwards = st.one_of(
    st.builds(Gated, widths),
    st.builds(Plain, widths),
    st.builds(
        Experts, st.sampled_from([4, 16, 128]), st.sampled_from([1, 2, 4]), widths, shared=st.sampled_from([0, 256])
    ),
)
layers = st.builds(Layer, mixers, feed_forwards)


@st.composite
def random_models(draw: st.DrawFn) -> Model:
    stacks = draw(
        st.lists(
            st.builds(Stack, st.lists(layers, min_size=1, max_size=3).map(tuple), st.integers(1, 6)),
            min_size=1,
            max_size=2,
        )
    )
    return Model(
        hidden_size=draw(widths),
        vocab_size=draw(st.sampled_from([1000, 32_000, 151_936])),
        stack=tuple(stacks),
        tied_embeddings=draw(st.booleans()),
        norm=draw(st.sampled_from(["rms", "layer"])),
        context_tokens=draw(st.sampled_from([0, 4096, 131_072])),
    )


@cache
def shipped() -> Catalog:
    return load_catalog(user=False)


@st.composite
def subjects(draw: st.DrawFn) -> Subject:
    """A shipped model, or one that nobody has built."""
    if draw(st.booleans()):
        return shipped().subject(draw(st.sampled_from([row.id for row in shipped().entries])))
    return FoldedSubject("random", draw(random_models()), facts())


scenarios = st.builds(
    Scenario,
    runtime=st.sampled_from(["llama.cpp", "llama.cpp", "ollama", "koboldcpp"]),
    kv_k=st.sampled_from(["f16", "q8_0", "q4_0"]),
    kv_v=st.sampled_from(["f16", "q8_0", "q4_0"]),
    seqs=st.sampled_from([1, 2, 4, 7]),
    kv_unified=st.booleans(),
    ubatch=st.sampled_from([None, 32, 512, 2048]),
    flash_attn=st.sampled_from(["auto", "on", "off"]),
    swa_full=st.booleans(),
    mtp=st.booleans(),
)


def compiled(subject: Subject, quant: str, scenario: Scenario) -> Memory | None:
    try:
        return compile(subject, quant, scenario, facts())
    except Refusal:
        return None


def stored(memory: Memory, ctx: int) -> int:
    """Weights, caches and states: everything that no work space may hide."""
    return sum(memory.group_bytes(ctx, group) for group in ("weights", "kv", "state"))


@given(subjects(), st.sampled_from(QUANTS), scenarios, contexts, contexts)
def test_a_longer_context_never_stores_less(
    subject: Subject, quant: str, scenario: Scenario, one: int, other: int
) -> None:
    memory = compiled(subject, quant, scenario)
    if memory is None:
        return
    shorter, longer = sorted((one, other))
    assert stored(memory, shorter) <= stored(memory, longer)
    if memory.at(longer) < memory.at(shorter):
        # llama.cpp's allocator does use space again: then the work space shrank, and nothing else did.
        assert memory.group_bytes(longer, "compute") < memory.group_bytes(shorter, "compute")
        rest = [group for group in GROUPS if group != "compute"]
        for group in rest:
            assert memory.group_bytes(shorter, group) <= memory.group_bytes(longer, group), group
    for device in (*memory.devices, memory.host):
        before, after = ({term.name: term for term in device.terms(ctx)} for ctx in (shorter, longer))
        fallen = {name for name, term in before.items() if name not in after or after[name].bytes < term.bytes}
        assert not fallen or fallen == {device.peak and device.peak.name}
        # The term that falls says of itself what it is and for how many tokens its graph was followed.
        assert all(before[name].formula and before[name].source and before[name].numbers["tokens"] for name in fallen)
        # And its stage: the layer or the head that holds most, there and here.
        if fallen and device is not memory.host:
            assert device.peak
            assert device.peak.stage
            stages = [device.peak.stage(device.tokens(ctx)) for ctx in (shorter, longer)]
            assert all(stage == "head" or " of layer " in stage for stage in stages), stages


@given(random_models(), st.sampled_from(QUANTS), scenarios, contexts, st.integers(0, 1), st.integers(1, 4))
def test_more_layers_never_store_less(
    model: Model, quant: str, scenario: Scenario, ctx: int, part: int, more: int
) -> None:
    part = min(part, len(model.stack) - 1)
    grown = list(model.stack)
    grown[part] = replace(grown[part], repeat=grown[part].repeat + more)
    small = compiled(FoldedSubject("small", model, facts()), quant, scenario)
    large = compiled(FoldedSubject("large", replace(model, stack=tuple(grown)), facts()), quant, scenario)
    if small is None or large is None:
        assert small is large
        return
    for group in ("kv", "state"):
        assert small.group_bytes(ctx, group) <= large.group_bytes(ctx, group)
    # Mixtures give the layers at certain places more bits, and a layer more moves those places: only plain file
    # types promise that the weights grow.
    if quant in ("Q8_0", "F16"):
        assert stored(small, ctx) <= stored(large, ctx)
        assert small.group_bytes(ctx, "weights") < large.group_bytes(ctx, "weights")


@given(subjects(), st.sampled_from(QUANTS), scenarios, contexts, st.data())
def test_more_cache_bits_never_take_less(
    subject: Subject, quant: str, scenario: Scenario, ctx: int, data: st.DataObject
) -> None:
    places = sorted(data.draw(st.tuples(*[st.integers(0, len(KV_TYPES) - 1)] * 2)))
    found = []
    for place in places:
        memory = compiled(subject, quant, replace(scenario, kv_k=KV_TYPES[place], kv_v=KV_TYPES[place]))
        if memory is None:
            return
        found.append(memory)
    fewer, more = found
    assert fewer.group_bytes(ctx, "kv") <= more.group_bytes(ctx, "kv")
    assert fewer.group_bytes(ctx, "weights") == more.group_bytes(ctx, "weights")


@given(subjects(), st.sampled_from(QUANTS), scenarios, contexts)
def test_terms_are_whole_and_none_is_negative(subject: Subject, quant: str, scenario: Scenario, ctx: int) -> None:
    memory = compiled(subject, quant, scenario)
    if memory is None:
        return
    for device in (*memory.devices, memory.host):
        terms = device.terms(ctx)
        assert device.at(ctx) == sum(term.bytes for term in terms)
        assert all(term.bytes > 0 and term.basis and term.source for term in terms)
        for group in GROUPS:
            assert device.group_bytes(ctx, group) == sum(term.bytes for term in terms if term.group == group)
    assert memory.at(ctx) == sum(device.at(ctx) for device in memory.devices)
    low, high = memory.error_band(ctx)
    assert 0 <= low <= memory.at(ctx) <= high


@given(subjects(), st.sampled_from(QUANTS), scenarios, contexts)
def test_an_answer_adds_up(subject: Subject, quant: str, scenario: Scenario, ctx: int) -> None:
    try:
        answer = estimate(subject, quant, ctx, scenario, facts())
    except Refusal:
        return
    plain = answer.to_json()
    assert plain["total_bytes"] == sum(term["bytes"] for term in plain["terms"])
    assert plain["total_bytes"] == sum(device["used_bytes"] for device in plain["devices"])


@given(subjects(), st.sampled_from(QUANTS), scenarios, st.integers(0, 1 << 42), st.integers(1, 2000))
def test_the_largest_context_is_the_largest(
    subject: Subject, quant: str, scenario: Scenario, budget: int, beyond: int
) -> None:
    memory = compiled(subject, quant, scenario)
    if memory is None:
        return
    found = memory.largest_ctx(budget)
    assert found % STEP_TOKENS == 0
    assert not found or memory.at(found) <= budget
    # None of the contexts after it fits, near or far, though the total may fall here and there.
    for steps in (*range(1, 12), beyond, beyond * 37):
        ctx = found + steps * STEP_TOKENS
        if ctx <= MAX_TOKENS:
            assert memory.at(ctx) > budget, ctx


@given(subjects(), st.sampled_from(QUANTS), scenarios, st.integers(1, 1 << 12), st.sampled_from([-1, 0, 1]))
def test_the_largest_context_of_a_budget_that_some_context_just_fills(
    subject: Subject, quant: str, scenario: Scenario, steps: int, more: int
) -> None:
    """Budgets at the very edge, where a fall of the total makes a context fit again that did not before."""
    memory = compiled(subject, quant, scenario)
    if memory is None:
        return
    ctx = steps * STEP_TOKENS
    budget = memory.at(ctx) + more
    found = memory.largest_ctx(budget)
    assert found >= ctx if more >= 0 else memory.at(found) <= budget or not found
    for beyond in range(found + STEP_TOKENS, min(found + 200 * STEP_TOKENS, MAX_TOKENS), STEP_TOKENS):
        assert memory.at(beyond) > budget, beyond


@given(st.sampled_from(["Q4_K_M", "Q8_0"]), scenarios, st.integers(1, 1 << 18), st.data())
def test_a_compiled_entry_answers_like_its_blocks(
    quant: str, scenario: Scenario, ctx: int, data: st.DataObject
) -> None:
    known = data.draw(st.sampled_from([row.id for row in shipped().entries]))
    fast = compiled(shipped().subject(known), quant, scenario)
    plain = compiled(FoldedSubject(known, shipped().entry(known).model, facts()), quant, scenario)
    if fast is None or plain is None:
        assert fast is plain
        return
    assert fast.terms(ctx) == plain.terms(ctx)
    assert fast.weights == plain.weights


def _splits(layers_: int) -> Iterable[int]:
    return sorted({1, 2, 3, layers_ // 2, layers_} & set(range(1, layers_ + 1)))


@pytest.mark.parametrize("runtime", ["vllm", "sglang", "tensorrt-llm"])
@given(data=st.data())
def test_any_split_over_servers_keeps_every_weight(runtime: str, data: st.DataObject) -> None:
    """Ranks together hold at least the model; what is more than it is what they hold twice."""
    known = data.draw(st.sampled_from([row.id for row in shipped().entries]))
    subject = shipped().subject(known)
    pp = data.draw(st.sampled_from(list(_splits(min(subject.profile.layer_count, 8)))))
    tp = data.draw(st.sampled_from([1, 2, 4, 8]))
    quant = data.draw(st.sampled_from(["BF16", "FP8"]))
    whole = compiled(subject, quant, Scenario(runtime=runtime))
    split = compiled(subject, quant, Scenario(runtime=runtime, tp=tp, pp=pp))
    if whole is None or split is None:
        return
    ctx = 4096
    assert len(split.devices) == tp * pp
    parts = [device.group_bytes(ctx, "weights") for device in split.devices]
    assert sum(parts) >= whole.group_bytes(ctx, "weights")
    assert max(parts) <= whole.group_bytes(ctx, "weights")


@given(
    st.sampled_from(["Q4_K_M", "IQ4_XS", "Q8_0"]),
    st.integers(1, 4),
    st.sampled_from([None, 0, 1, 7, "auto"]),
    st.sampled_from([None, 0, 3, "auto"]),
    st.lists(st.integers(0, 9), max_size=4),
    st.data(),
)
def test_any_split_over_cards_and_ram_keeps_every_weight(
    quant: str, cards: int, ngl: int | str | None, n_cpu_moe: int | str | None, shares: list[int], data: st.DataObject
) -> None:
    subject = shipped().subject(data.draw(st.sampled_from([row.id for row in shipped().entries])))
    machine = parse_hardware(f"{cards}x rtx-3090", shipped().hardware)
    split = tuple(map(float, shares[:cards])) if sum(shares[:cards]) and len(shares) >= cards else ()
    one = compiled(subject, quant, Scenario())
    several = compiled(subject, quant, Scenario(machine=machine, ngl=ngl, n_cpu_moe=n_cpu_moe, tensor_split=split))
    if one is None or several is None:
        return
    ctx = 4096
    whole, parts = (
        sum(device.group_bytes(ctx, "weights") for device in (*memory.devices, memory.host))
        for memory in (one, several)
    )
    # A backend lengthens some rows; the same tensors in RAM lack those cells, and nothing else.
    rows = subject.layer_bytes(quant)
    padded = rows.head - rows.host_head
    padded += sum(sum(here) - sum(there) for here, there in zip(rows.layers, rows.host_layers, strict=True))
    # Every further buffer with layers holds a copy of the tables that all layers read.
    assert whole - padded <= parts <= whole + cards * rows.repeated
    if several.host.group_bytes(ctx, "weights") == one.host.group_bytes(ctx, "weights"):
        assert parts >= whole
    assert several.at(ctx) == sum(device.at(ctx) for device in several.devices)
