"""What a server makes of the memory it is given: tokens in its pool, requests at once, the setting to start it with."""

from math import ceil

from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import MAX_TOKENS
from vram_tui.estimator.model import Layer
from vram_tui.estimator.records import record
from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.runtimes.layers import stage_layers
from vram_tui.estimator.runtimes.serving import Setting, assemble, resolve
from vram_tui.estimator.runtimes.sglang import Sglang
from vram_tui.estimator.runtimes.tensorrt import Tensorrt
from vram_tui.estimator.runtimes.vllm import Vllm
from vram_tui.estimator.runtimes.vllm_pages import PageGroup, Paging
from vram_tui.estimator.scenario import Scenario
from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB

PERCENT = 100
POOLED = frozenset(("vllm", "sglang", "tensorrt-llm"))
"""Runtimes that set memory apart for the caches of all requests when they start."""
HIGHEST_SHARE = 0.97
"""The largest share of a card that we suggest to give a server."""


@record
class Pool:
    """The cache pool of one replica. Bytes are those of the fullest rank, tokens those of all its requests.

    `suggested` is the smallest setting (`setting` names it) that serves the requests asked for, None where even the
    largest does not; `will_occupy_bytes` is what a card shows as used once the server runs, whatever the model.
    """

    bytes: int
    blocks: int
    paging: Paging
    replicas: int
    will_occupy_bytes: int
    setting: str
    suggested: float | None

    def requests(self, ctx: int) -> float:
        """How many requests of `ctx` tokens the pools of all replicas hold at once."""
        each = self.paging.blocks(ctx)
        return self.replicas * self.blocks / each if each else float("inf")

    def tokens(self, ctx: int) -> int:
        """Tokens that the pool holds, as the server prints them: for caches that do not all grow, at that context."""
        if len(self.paging.groups) == 1 and not self.paging.groups[0].fixed:
            return self.blocks * self.paging.groups[0].block_tokens * self.replicas
        return int(self.requests(ctx) * ctx)

    def sentences(self, ctx: int) -> tuple[str, ...]:
        """What a person wants to know of it before requests of `ctx` tokens come."""
        whose = "pools of all replicas together hold" if self.replicas > 1 else "pool holds"
        held = f"The {whose} {self.tokens(ctx):,} tokens: {self.requests(ctx):,.1f} requests of {ctx:,} at once."
        filled = f"A started server fills {self.will_occupy_bytes / GIB:.1f} GiB of each card, whatever the model."
        if not self.setting:
            return held, filled
        if self.suggested is None:
            return held, f"No {self.setting} up to {HIGHEST_SHARE} serves the requests asked for."
        return held, f"{filled} The least {self.setting} that serves the requests asked for is {self.suggested}."

    def to_json(self, ctx: int) -> dict[str, int | float | str | None]:
        """Fields of the command line's `pool`; tokens and requests are those of all replicas."""
        return {
            "bytes": self.bytes,
            "tokens": self.tokens(ctx),
            "requests": round(self.requests(ctx), 2) if self.paging.blocks(ctx) else None,
            "largest_ctx": self.largest_ctx,
            "replicas": self.replicas,
            "occupied_bytes": self.will_occupy_bytes,
            "setting": self.setting or None,
            "least_setting": self.suggested,
        }

    @property
    def largest_ctx(self) -> int:
        """The longest request that the pool of a replica holds, in steps of its blocks; 0 if not even one block."""
        low, high = 0, MAX_TOKENS
        if self.blocks < 1:
            return 0
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.paging.blocks(middle) <= self.blocks else (low, middle)
        return low


def pool_of(subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts) -> Pool | None:
    """The pool of a server on its cards; None where there is none: no server, no cards, a plan that cannot be."""
    if scenario.runtime not in POOLED or scenario.machine is None or not scenario.machine.devices:
        return None
    try:
        return pool(subject, quant, ctx, scenario, facts)
    except Refusal:
        return None


def paging_of(setting: Setting, layers: tuple[Layer, ...], facts: Facts, speculative: int | None = None) -> Paging:
    """How a stage's caches are allocated by the scenario's server. Raises Refusal for a runtime without a pool."""
    runtime = setting.scenario.runtime
    if runtime == "vllm":
        return Vllm(facts.runtimes["vllm"]).paging(setting, layers, speculative=speculative)
    if runtime == "sglang":
        rules = Sglang(facts.runtimes["sglang"])
        full, sliding, _ = rules.cells(setting, layers)
        share = facts.runtimes["sglang"].get("swa_full_tokens_ratio").value if full else 1.0
        return Paging(full + round(sliding * share), (PageGroup("full", 1, len(layers), 1),))
    if runtime == "tensorrt-llm":
        held = Tensorrt(facts.runtimes[runtime]).caches(setting, layers)
        block = int(facts.runtimes[runtime].get("block_tokens").value)
        per_token = sum(bytes_ for cost in held.costs for _, bytes_ in cost.per_cell) // max(setting.requests, 1)
        return Paging(per_token * block, (PageGroup("full", 1, len(layers), block),))
    raise Refusal(f"{runtime} allocates no pool: it takes memory as requests need it", "runtime")


def pool(
    subject: Subject, quant: str, ctx: int, scenario: Scenario, facts: Facts, *, speculative: int | None = None
) -> Pool:
    """The pool that a server makes on the scenario's cards, for requests of `ctx` tokens.

    Raises Refusal where the plan cannot be, the runtime has no pool, or no machine is given.
    """
    machine = scenario.machine
    if machine is None or not machine.devices:
        raise Refusal("a pool is what is left of a card: name the hardware", "gpus")
    setting = resolve(subject, quant, scenario, facts)
    rules = _rules(scenario.runtime, facts)
    memory = assemble(subject, quant, setting, rules)
    found: list[tuple[int, int, Paging]] = []
    stages = stage_layers(setting.model, setting.plan, mtp=scenario.mtp)
    per_stage = setting.plan.tp * setting.plan.dp
    share = 1.0
    for stage, layers in enumerate(stages):
        paging = paging_of(setting, layers, facts, speculative)
        device = memory.devices[stage * per_stage]
        fixed = device.at(ctx) - device.group_bytes(ctx, "kv") - device.group_bytes(ctx, "state")
        left = int((device.usable_bytes or 0) - fixed)
        if scenario.runtime == "tensorrt-llm":
            left = int(left * facts.runtimes[scenario.runtime].get("utilization").value)
        if scenario.runtime == "sglang":
            left = _after_states(rules, setting, layers, facts, left)
        need = paging.blocks(ctx) * paging.block_bytes * setting.requests
        total = setting.device.usable_bytes if setting.device else 1
        share = max(share if stage else 0.0, (fixed + need) / total)
        found.append((left // paging.block_bytes if paging.block_bytes and left > 0 else 0, left, paging))
    blocks, left, paging = min(found, key=lambda one: one[0])
    name = {"vllm": "gpu_memory_utilization", "sglang": "mem_fraction_static"}.get(scenario.runtime, "")
    return Pool(
        bytes=max(left, 0),
        blocks=blocks,
        paging=paging,
        replicas=setting.plan.dp,
        will_occupy_bytes=memory.devices[0].usable_bytes or 0,
        setting=name,
        suggested=_suggested(scenario.runtime, share, setting, facts, rules),
    )


def _after_states(rules: object, setting: Setting, layers: tuple[Layer, ...], facts: Facts, left: int) -> int:
    """SGLang divides its pool between states and tokens by a fixed ratio."""
    assert isinstance(rules, Sglang)
    if not rules.cells(setting, layers)[2]:
        return left
    ratio = facts.runtimes["sglang"].get("mamba_full_memory_ratio").value
    return int(left / (1 + ratio))


def _rules(runtime: str, facts: Facts) -> Vllm | Sglang | Tensorrt:
    if runtime == "vllm":
        return Vllm(facts.runtimes["vllm"])
    if runtime == "sglang":
        return Sglang(facts.runtimes["sglang"])
    if runtime == "tensorrt-llm":
        return Tensorrt(facts.runtimes["tensorrt-llm"])
    raise Refusal(f"{runtime} allocates no pool: it takes memory as requests need it", "runtime")


def _suggested(
    runtime: str, share: float, setting: Setting, facts: Facts, rules: Vllm | Sglang | Tensorrt
) -> float | None:
    """The smallest whole per cent that holds the requests: of the card (vLLM), or weights and pools alone (SGLang)."""
    if runtime == "sglang" and isinstance(rules, Sglang) and setting.device:
        share -= rules.reserve_bytes(setting) / setting.device.usable_bytes
    rounded = ceil(share * PERCENT) / PERCENT
    return rounded if 0 < rounded <= HIGHEST_SHARE else None
