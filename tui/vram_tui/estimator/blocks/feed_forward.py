"""Feed-forwards: gated, plain, and routed experts with shared, latent and dense company."""

from vram_tui.estimator.blocks.base import KEPT_F32, Frame, Tensor, norm
from vram_tui.estimator.records import record


@record
class Gated:
    """Gate and up projections multiplied, then down (SwiGLU, GeGLU)."""

    size: int
    bias: bool = False

    kind = "gated"

    def tensors(self, frame: Frame) -> tuple[Tensor, ...]:
        hidden, size = frame.hidden, self.size
        if "gate-up" in frame.fused:
            wide = [Tensor("ffn_up", "up", (hidden, 2 * size))]
        else:
            wide = [Tensor("ffn_gate", "gate", (hidden, size)), Tensor("ffn_up", "up", (hidden, size))]
        found = [*wide, Tensor("ffn_down", "down", (size, hidden))]
        if self.bias:
            found += [norm("ffn_gate_bias", size), norm("ffn_up_bias", size), norm("ffn_down_bias", hidden)]
        return tuple(found)


@record
class Plain:
    """Up, activation, down."""

    size: int
    bias: bool = False
    act_params: int = 0

    kind = "plain"

    def tensors(self, frame: Frame) -> tuple[Tensor, ...]:
        hidden, size = frame.hidden, self.size
        found = [Tensor("ffn_up", "up", (hidden, size)), Tensor("ffn_down", "down", (size, hidden))]
        if self.bias:
            found += [norm("ffn_up_bias", size), norm("ffn_down_bias", hidden)]
        if self.act_params and not frame.file:
            found.append(norm("ffn_act", self.act_params))
        return tuple(found)


@record
class Experts:
    """Routed experts: `active` of `count` run per token, `shared` (total width) always do."""

    count: int
    active: int
    size: int
    gated: bool = True
    shared: int = 0
    shared_gate: bool = False
    routed_shared: int = 0
    router_bias: bool = False
    bias: bool = False
    hash: bool = False
    latent: int = 0
    latent_norm: bool = False
    latent_out_norm: bool = False
    dense: int = 0
    branch_norms: int = 0
    expert_scales: int = 0
    router_scale: bool = False
    router_scalar: bool = False
    zero_experts: int = 0
    raw_weights: bool = False

    kind = "experts"

    @property
    def mean_active(self) -> float:
        """Experts that cost work per token; the ones that cost nothing are drawn too."""
        return self.active * self.count / (self.count + self.zero_experts)

    def tensors(self, frame: Frame) -> tuple[Tensor, ...]:
        hidden, width = frame.hidden, self.latent or frame.hidden
        routed = self.count + self.zero_experts + self.routed_shared
        found = [Tensor("router", "other", (hidden, routed), KEPT_F32)]
        if self.gated and "gate-up-experts" in frame.fused:
            found.append(Tensor("ffn_gate_up_exps", "gate", (width, 2 * self.size, self.count)))
        else:
            if self.gated:
                found.append(Tensor("ffn_gate_exps", "gate", (width, self.size, self.count)))
            found.append(Tensor("ffn_up_exps", "up", (width, self.size, self.count)))
        found.append(Tensor("ffn_down_exps", "down", (self.size, width, self.count)))
        found += self._shared(hidden) + self._latent(hidden) + self._vectors(frame, hidden, routed)
        if self.dense:
            found += Gated(self.dense).tensors(frame)
        return tuple(found)

    def _shared(self, hidden: int) -> list[Tensor]:
        if not self.shared:
            return []
        found = [
            Tensor("ffn_up_shexp", "up", (hidden, self.shared)),
            Tensor("ffn_down_shexp", "down", (self.shared, hidden)),
        ]
        if self.gated:
            found.insert(0, Tensor("ffn_gate_shexp", "gate", (hidden, self.shared)))
        if self.shared_gate:
            found.append(norm("shared_gate", hidden))
        return found

    def _latent(self, hidden: int) -> list[Tensor]:
        if not self.latent:
            return []
        found = [
            Tensor("latent_down", "other", (hidden, self.latent)),
            Tensor("latent_up", "other", (self.latent, hidden)),
        ]
        if self.latent_norm:
            found.append(norm("latent_norm", self.latent))
        if self.latent_out_norm:
            found.append(norm("latent_out_norm", self.latent))
        return found

    def _vectors(self, frame: Frame, hidden: int, routed: int) -> list[Tensor]:
        found: list[Tensor] = []
        if self.router_bias:
            found.append(norm("router_bias", routed))
        if self.bias:
            found.append(norm("router_bias", routed))
            sides = ("gate", "up") if self.gated else ("up",)
            found += [Tensor(f"ffn_{side}_exps_bias", "other", (self.size, self.count), KEPT_F32) for side in sides]
            found.append(Tensor("ffn_down_exps_bias", "other", (hidden, self.count), KEPT_F32))
        if self.hash and frame.file:
            found.append(Tensor("router_table", "other", (self.active, frame.vocab_size), KEPT_F32, counted=False))
        found += [norm("branch_norm", hidden)] * self.branch_norms
        found += [norm("expert_scale", self.count)] * self.expert_scales
        if self.router_scale:
            found.append(norm("router_scale", hidden))
        if self.router_scalar:
            found.append(norm("router_scalar", 1))
        return found
