"""Memory as lines in the context: fast answers equal plain sums, and the largest context is the largest."""

from hypothesis import given
from hypothesis import strategies as st

from tests.estimator.truth_models import facts, subjects
from vram_tui.estimator.compiling import compile  # noqa: A004
from vram_tui.estimator.curves import STEP_TOKENS, Curve, traced
from vram_tui.estimator.memory import MAX_TOKENS, Cost, DeviceMemory, Memory, Peak, Reach, Weights
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario

bytes_ = st.integers(0, 1 << 30)
per_cell = st.integers(0, 1 << 16)
contexts = st.integers(1, 1 << 20)

reaches = st.builds(
    Reach,
    granularity=st.sampled_from([1, 16, 64, 256, 544]),
    ratio=st.sampled_from([1, 1, 4, 128]),
    cap=st.sampled_from([0, 0, 256, 1000, 4608]),
    extra=st.integers(0, 300),
)


knots = st.dictionaries(st.integers(1, 80).map(lambda step: step * STEP_TOKENS), bytes_, min_size=1, max_size=6)
curves = knots.map(lambda values: Curve(tuple(sorted(values)), tuple(values[context] for context in sorted(values))))


@st.composite
def device_memories(draw: st.DrawFn) -> DeviceMemory:
    found = tuple(draw(st.lists(reaches, min_size=1, max_size=4)))

    def cost(name: str) -> Cost:
        slopes = st.lists(st.tuples(st.integers(0, len(found) - 1), per_cell), max_size=3).map(tuple)
        return Cost(name, "kv", draw(bytes_), draw(slopes))

    return DeviceMemory(
        "device",
        found,
        tuple(cost(f"cost {n}") for n in range(draw(st.integers(0, 3)))),
        draw(st.none() | curves.map(lambda curve: Peak("peak", lambda: curve))),
        tokens_divisor=draw(st.sampled_from([1, 1, 2, 5])),
        ctx_step=draw(st.sampled_from([1, 256])),
        ctx_factor=draw(st.sampled_from([1, 1, 4])),
    )


@given(device_memories(), contexts)
def test_fast_answer_is_the_plain_sum(device: DeviceMemory, ctx: int) -> None:
    assert device.at(ctx) == device.direct(ctx)


@given(device_memories(), contexts)
def test_terms_add_up_and_nothing_is_negative(device: DeviceMemory, ctx: int) -> None:
    terms = device.terms(ctx)
    assert sum(term.bytes for term in terms) == device.at(ctx)
    assert all(term.bytes > 0 for term in terms)
    assert device.group_bytes(ctx, "kv") + device.group_bytes(ctx, "compute") == device.at(ctx)


@given(device_memories(), bytes_, st.integers(1, 64))
def test_largest_context_is_the_largest_that_fits(device: DeviceMemory, budget: int, steps: int) -> None:
    at_most = steps * STEP_TOKENS
    fitting = [ctx for ctx in range(STEP_TOKENS, at_most + 1, STEP_TOKENS) if device.direct(ctx) <= budget]
    assert device.largest_ctx(budget, at_most) == max(fitting, default=0)


@given(device_memories(), bytes_)
def test_largest_context_fits_and_the_next_does_not(device: DeviceMemory, budget: int) -> None:
    found = device.largest_ctx(budget)
    assert found % STEP_TOKENS == 0
    if found:
        assert device.direct(found) <= budget
    if found < MAX_TOKENS:
        assert device.direct(found + STEP_TOKENS) > budget


@given(curves, contexts)
def test_a_curve_meets_its_knots_and_stays_between_neighbours(curve: Curve, context: int) -> None:
    assert [curve.at(knot) for knot in curve.contexts] == list(curve.values)
    if curve.contexts[0] <= context <= curve.contexts[-1]:
        around = [value for knot, value in zip(curve.contexts, curve.values, strict=True)]
        assert min(around) <= curve.at(context) <= max(around)


@given(bytes_, st.integers(0, 4096), st.integers(1, 40).map(lambda step: step * STEP_TOKENS))
def test_tracing_finds_kinks(fixed: int, slope: int, kink: int) -> None:
    def value(context: int) -> int:
        return fixed + slope * min(context, kink) + context

    curve = traced(value, (kink,))
    assert all(curve.at(context) == value(context) for context in range(STEP_TOKENS, 1 << 15, STEP_TOKENS))
    assert len(curve.contexts) <= 3


@given(device_memories(), device_memories(), bytes_, st.integers(1, 24))
def test_several_devices_all_hold_their_share(
    first: DeviceMemory, second: DeviceMemory, budget: int, steps: int
) -> None:
    memory = Memory("", Weights(0, 0, 0, 0, 0), (first, second), DeviceMemory("host"))
    found = memory.largest_ctx(budget)
    assert memory.at(max(found, 1)) == first.direct(max(found, 1)) + second.direct(max(found, 1))
    if found:
        assert first.direct(found) <= budget
        assert second.direct(found) <= budget
    ctx = steps * STEP_TOKENS
    if first.direct(ctx) <= budget and second.direct(ctx) <= budget:
        assert found >= ctx


scenarios = st.builds(
    Scenario,
    kv_k=st.sampled_from(["f16", "q8_0", "q4_0", "bf16"]),
    kv_v=st.sampled_from(["f16", "q8_0", "q4_0"]),
    seqs=st.sampled_from([1, 2, 4, 7]),
    kv_unified=st.booleans(),
    ubatch=st.sampled_from([None, 32, 512, 2048]),
    flash_attn=st.sampled_from(["auto", "on", "off"]),
    swa_full=st.booleans(),
    outputs=st.sampled_from([None, 1, "ubatch"]),
    imatrix=st.booleans(),
    mtp=st.booleans(),
)


@given(st.sampled_from(sorted(subjects())), scenarios, contexts, st.integers(1, 1 << 41))
def test_compiled_models_answer_consistently(name: str, scenario: Scenario, ctx: int, budget: int) -> None:
    try:
        memory = compile(subjects()[name], "Q4_K_M", scenario, facts())
    except Refusal:
        return
    for device in (*memory.devices, memory.host):
        terms = device.terms(ctx)
        assert device.at(ctx) == device.direct(ctx) == sum(term.bytes for term in terms)
        assert all(term.bytes > 0 and term.basis and term.source for term in terms)
        assert device.at(ctx + STEP_TOKENS) >= 0
    found = memory.largest_ctx(budget)
    assert not found or memory.at(found) <= budget
    assert found >= MAX_TOKENS or memory.at(found + STEP_TOKENS) > budget
    low, high = memory.error_band(ctx)
    assert 0 <= low <= memory.at(ctx) <= high
