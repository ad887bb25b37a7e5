"""Layers and experts over cards and RAM: as llama.cpp itself placed them, and laws that any placement keeps."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.estimator.compute_cases import share
from tests.estimator.offload_cases import Case, card, cases, memory_of
from tests.estimator.truth_models import facts, subjects
from tests.truth import rows
from vram_tui.estimator.blocks import Attention, Experts, Gated
from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.devices import Machine
from vram_tui.estimator.memory import Memory
from vram_tui.estimator.model import Gguf, Layer, Model, Mtp, Stack
from vram_tui.estimator.offload import FIT_MARGIN_BYTES, FIT_TOKENS, FitChoice, fit_choice, settled
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.splitting import RAM, split_layers
from vram_tui.estimator.subject import FoldedSubject

CTX = 4096


def compiled(subject: FoldedSubject, scenario: Scenario) -> Memory:
    return compile_memory(subject, "Q4_K_M", scenario, facts())


def machine(*sizes: int) -> Machine:
    return Machine("cards", tuple(card(size) for size in sizes))


def errors(part: str, *, in_ram: bool) -> list[float]:
    return [case.error for case in cases() if case.part == part and case.in_ram == in_ram]


# As llama.cpp did it


@pytest.mark.parametrize("part", ["weights", "caches"])
def test_weights_and_caches_lie_where_llama_cpp_put_them(part: str) -> None:
    found = [case for case in cases() if case.part == part]
    assert len(found) > 1200
    assert not [case for case in found if case.error]


def test_compute_buffers_of_cards_beside_ram() -> None:
    found = errors("compute", in_ram=False)
    assert share(found, 0.0) >= 0.78
    assert share(found, 0.01) >= 0.90
    assert share(found, 0.05) >= 0.93
    assert share(found, 0.10) >= 0.96


def test_compute_buffers_in_ram() -> None:
    found = errors("compute", in_ram=True)
    assert share(found, 0.0) >= 0.78
    assert share(found, 0.01) >= 0.90


def test_what_is_too_small_is_warned_about() -> None:
    short = [case for case in cases() if case.error < -0.11]
    assert short
    assert all(memory_of(case.row).warnings for case in short)


@pytest.mark.parametrize("name", ["Qwen3-8B", "Qwen3-30B-A3B", "DeepSeek-V3", "gpt-oss-20b", "Llama-3.1-70B"])
def test_popular_models_are_exact(name: str) -> None:
    found = [case for case in cases() if case.row["model"] == name]
    wrong = [case for case in found if abs(case.error) > 0.012]
    assert not wrong, [(case.part, case.place, case.error, case.row) for case in wrong]


def test_unequal_cards_and_given_shares_are_among_the_records() -> None:
    def kept(case: Case) -> bool:
        sizes = case.row.get("devices", ())
        return len(set(sizes)) > 1 or bool(case.row.get("tensor_split"))

    assert sum(map(kept, cases())) > 300
    assert len({row["build"] for row in rows("llamacpp_offload")}) == 1


# The split of layers


@given(st.integers(1, 130), st.lists(st.integers(0, 200), min_size=1, max_size=8), st.integers(0, 140))
def test_every_layer_has_one_place_in_order(layers: int, shares: list[int], offloaded: int) -> None:
    found = split_layers(layers, list(map(float, shares)), offloaded)
    assert len(found.places) == layers + 1
    assert all(before <= after for before, after in pairwise(found.places))
    held = sum(place != RAM for place in found.places)
    assert held == (min(offloaded, layers + 1) if sum(shares) else 0)
    spans = [found.span(place) for place in (RAM, *range(len(shares)))]
    assert sum(after - first for first, after in spans) == layers
    for place, part in enumerate(shares):
        if sum(shares) and place < len(shares) - 1:
            expected = held * part / sum(shares)
            assert abs(found.places.count(place) - expected) <= 1.001


def test_a_card_twice_as_free_takes_twice_the_layers() -> None:
    found = split_layers(59, [48.0, 24.0])
    assert found.places.count(0) == 40
    assert found.places.count(1) == 20


def test_more_shares_than_cards_are_refused() -> None:
    with pytest.raises(Refusal, match="3 parts for 2 devices"):
        compiled(subjects()["Qwen3-8B"], Scenario(machine=machine(1 << 35, 1 << 35), tensor_split=(1.0, 1.0, 1.0)))


# Small models of any make


@st.composite
def mixtures(draw: st.DrawFn) -> Model:
    """A few dense layers, then a few with experts; sometimes layers that predict more tokens."""
    hidden, heads = 256 * draw(st.integers(1, 4)), draw(st.sampled_from([4, 8]))
    mixer = Attention(heads, draw(st.sampled_from([1, 2, 4])), 64, window=draw(st.sampled_from([0, 512])))
    dense = Layer(mixer, Gated(256 * draw(st.integers(1, 6))))
    routed = Layer(mixer, Experts(draw(st.sampled_from([4, 8, 16])), 2, 256 * draw(st.integers(1, 4))))
    stack = (Stack((dense,), draw(st.integers(1, 3))), Stack((routed,), draw(st.integers(1, 5))))
    mtp = Mtp((routed,)) if draw(st.booleans()) else None
    return Model(hidden, 32_000, stack, mtp=mtp, gguf=Gguf("qwen3moe"), context_tokens=1 << 17)


def subject_of(model: Model) -> FoldedSubject:
    return FoldedSubject("any", model, facts())


slow = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def fits(subject: FoldedSubject, scenario: Scenario, ctx: int) -> bool:
    """Counted over whole curves, one device after another."""
    assert scenario.machine
    memory = compiled(subject, scenario)
    budgets = [device.usable_bytes for device in scenario.machine.devices]
    return all(device.at(ctx) <= budget for device, budget in zip(memory.devices, budgets, strict=True))


@slow
@given(mixtures(), st.integers(1, 2), st.floats(0.02, 1.2), st.sampled_from(["experts", "layers", "both"]))
def test_what_auto_takes_is_what_trying_everything_finds(model: Model, cards: int, part: float, open_: str) -> None:
    subject = subject_of(model)
    layers = len(subject.layer_bytes("Q4_K_M").layers)
    size = int(compiled(subject, Scenario()).devices[0].at(CTX) * part / cards) + 1
    base = Scenario(machine=machine(*(size,) * cards))
    ngl, experts = (None, "auto")[open_ != "experts"], (None, "auto")[open_ != "layers"]
    found = settled(subject, "Q4_K_M", CTX, replace(base, ngl=ngl, n_cpu_moe=experts), facts())

    def tried(number: int, moe: int | None) -> bool:
        return fits(subject, replace(base, ngl=None if number > layers else number, n_cpu_moe=moe), CTX)

    moe: int | None = None
    if experts:
        moe = next((number for number in range(layers + 1) if tried(layers + 1, number)), layers)
        assert found.n_cpu_moe == moe
    if ngl and not (experts and tried(layers + 1, moe)):
        best = next((number for number in range(layers + 1, -1, -1) if tried(number, moe)), 0)
        assert (found.ngl if found.ngl is not None else layers + 1) == best


@slow
@given(mixtures(), st.integers(0, 9), st.integers(0, 9), st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_caches_and_weights_are_kept_by_any_split(model: Model, ngl: int, moe: int, shares: list[int]) -> None:
    subject = subject_of(model)
    whole = compiled(subject, Scenario(mtp=model.mtp is not None))
    found = compiled(
        subject,
        Scenario(
            machine=machine(*(1 << 40,) * len(shares)),
            tensor_split=tuple(map(float, shares)),
            ngl=ngl,
            n_cpu_moe=moe,
            mtp=model.mtp is not None,
        ),
    )
    places = (*found.devices, found.host)
    for group in ("kv", "state"):
        assert sum(place.group_bytes(CTX, group) for place in places) == whole.group_bytes(CTX, group)
    assert found.at(CTX) == sum(device.at(CTX) for device in found.devices)
    # Rows that a backend lengthens are the only difference between a tensor on a card and in RAM.
    held = sum(place.group_bytes(CTX, "weights") for place in places)
    every = whole.group_bytes(CTX, "weights") + whole.host.group_bytes(CTX, "weights")
    assert abs(held - every) <= 0.02 * every + (1 << 20)


@slow
@given(mixtures(), st.integers(0, 8))
def test_experts_move_from_the_card_to_ram_layer_by_layer(model: Model, moe: int) -> None:
    subject = subject_of(model)
    bytes_ = subject.layer_bytes("Q4_K_M")
    moved = sum(part.experts for part in bytes_.layers[:moe])
    there = sum(part.experts for part in bytes_.host_layers[:moe])
    before, after = compiled(subject, Scenario()), compiled(subject, Scenario(n_cpu_moe=moe))
    assert before.group_bytes(CTX, "weights") - after.group_bytes(CTX, "weights") == moved
    assert after.host.group_bytes(CTX, "weights") - before.host.group_bytes(CTX, "weights") == there


@slow
@given(mixtures(), st.integers(0, 9))
def test_more_layers_in_ram_never_hold_more_weights_on_the_card(model: Model, ngl: int) -> None:
    subject = subject_of(model)
    fewer, more = (compiled(subject, Scenario(ngl=number)) for number in (ngl, ngl + 1))
    assert fewer.group_bytes(CTX, "weights") <= more.group_bytes(CTX, "weights")
    assert fewer.host.group_bytes(CTX, "weights") >= more.host.group_bytes(CTX, "weights")
    assert fewer.host.group_bytes(CTX, "kv") >= more.host.group_bytes(CTX, "kv")


@slow
@given(mixtures(), st.integers(1, 3))
def test_layers_that_predict_more_tokens_lie_with_the_head(model: Model, cards: int) -> None:
    subject = subject_of(model)
    on = machine(*(1 << 40,) * cards)
    without, with_ = (compiled(subject, Scenario(machine=on, mtp=mtp)) for mtp in (False, True))
    if model.mtp is None:
        assert with_.at(CTX) == without.at(CTX)
        return
    grown = [
        there.group_bytes(CTX, "kv") - here.group_bytes(CTX, "kv")
        for here, there in zip(without.devices, with_.devices, strict=True)
    ]
    assert sum(grown) > 0
    assert with_.weights.loaded_bytes == without.weights.file_bytes > without.weights.loaded_bytes
    assert sum(device.group_bytes(CTX, "weights") for device in with_.devices) > sum(
        device.group_bytes(CTX, "weights") for device in without.devices
    )


# What --fit takes


def fit(size: int, ctx: int, **given_: bool) -> FitChoice:
    found = fit_choice(subjects()["Qwen3-30B-A3B"], "Q4_K_M", ctx, Scenario(machine=machine(size)), facts(), **given_)
    assert found
    return found


def test_fit_takes_all_that_was_asked_for_where_it_fits() -> None:
    found = fit(80 << 30, 32768)
    assert (found.ctx, found.ngl, found.n_cpu_moe, found.fits) == (32768, 49, 0, True)


def test_fit_shortens_the_context_first_and_leaves_a_margin() -> None:
    size = 22 << 30
    found = fit(size, 131072)
    assert FIT_TOKENS <= found.ctx < 131072
    assert (found.ngl, found.n_cpu_moe) == (49, 0)
    memory = compiled(subjects()["Qwen3-30B-A3B"], Scenario(machine=machine(size)))
    assert memory.devices[0].at(found.ctx) <= size - FIT_MARGIN_BYTES < memory.devices[0].at(found.ctx + 256)


def test_fit_keeps_a_context_that_was_asked_for_and_sends_experts_to_ram() -> None:
    found = fit(16 << 30, 32768, fixed_ctx=True)
    assert found.ctx == 32768
    assert 0 < found.n_cpu_moe < 48
    assert found.ngl == 49
    assert f"the experts of {found.n_cpu_moe} layers in RAM" in found.text


def test_fit_sends_layers_to_ram_where_experts_are_not_enough() -> None:
    found = fit(2 << 30, 4096)
    assert found.n_cpu_moe == 48
    assert found.ngl < 49


@pytest.mark.parametrize("smaller", [4, 8, 12, 16, 20])
def test_a_larger_card_never_gets_less(smaller: int) -> None:
    here, there = fit(smaller << 30, 16384, fixed_ctx=True), fit((smaller + 4) << 30, 16384, fixed_ctx=True)
    assert there.n_cpu_moe <= here.n_cpu_moe
    assert there.ngl >= here.ngl


def test_without_a_card_fit_decides_nothing() -> None:
    subject = subjects()["Qwen3-8B"]
    assert fit_choice(subject, "Q4_K_M", CTX, Scenario(machine=Machine("no card", ())), facts()) is None
