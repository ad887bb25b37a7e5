"""Recurrent mixers: delta-net, KDA, Mamba 1 and 2, lightning, short convolution; and parallel pairs."""

from typing import TYPE_CHECKING

from vram_tui.estimator.blocks.base import KEPT_F32, CacheRow, Frame, Tensor, norm
from vram_tui.estimator.records import record

if TYPE_CHECKING:
    from vram_tui.estimator.blocks import Mixer


def _conv(kernel: int, channels: int) -> Tensor:
    return Tensor("ssm_conv", "other", (kernel, channels), KEPT_F32)


@record
class DeltaNet:
    """Gated delta rule: a k_dim × v_dim matrix per value head, fed through a short convolution."""

    k_heads: int
    v_heads: int
    k_dim: int
    v_dim: int
    conv: int

    kind = "delta-net"

    @property
    def key_width(self) -> int:
        return self.k_heads * self.k_dim

    @property
    def value_width(self) -> int:
        return self.v_heads * self.v_dim

    def tensors(self, frame: Frame) -> tuple[Tensor, ...]:
        hidden, mixed, values = frame.hidden, 2 * self.key_width + self.value_width, self.value_width
        joined = "beta-alpha" in frame.fused
        small = (
            [("ssm_beta_alpha", 2 * self.v_heads)]
            if joined
            else [("ssm_beta", self.v_heads), ("ssm_alpha", self.v_heads)]
        )
        return (
            Tensor("attn_qkv", "v", (hidden, mixed)),
            Tensor("attn_gate", "other", (hidden, values)),
            *(Tensor(role, "other", (hidden, rows)) for role, rows in small),
            Tensor("ssm_out", "other", (values, hidden)),
            _conv(self.conv, mixed),
            norm("ssm_a", self.v_heads),
            norm("ssm_dt", self.v_heads),
            norm("ssm_norm", self.v_dim),
        )

    def cache(self) -> tuple[CacheRow, ...]:
        return ()

    def state(self) -> tuple[int, int]:
        return ((self.conv - 1) * (2 * self.key_width + self.value_width), self.k_dim * self.value_width)

    def gqa(self, frame: Frame) -> int:
        return frame.attention_gqa


@record
class Kda:
    """Kimi delta attention: a head_dim² matrix per head, three short convolutions, low-rank gates."""

    heads: int
    head_dim: int
    conv: int
    gate_rank: int = 0
    forget_rank: int = 0
    per_head_gate: bool = False

    kind = "kda"

    @property
    def width(self) -> int:
        return self.heads * self.head_dim

    def tensors(self, frame: Frame) -> tuple[Tensor, ...]:
        hidden, width = frame.hidden, self.width
        found = [
            Tensor("attn_q", "q", (hidden, width)),
            Tensor("attn_k", "k", (hidden, width)),
            Tensor("attn_v", "v", (hidden, width)),
            Tensor("attn_o", "o", (width, hidden)),
            Tensor("ssm_beta", "other", (hidden, self.heads)),
        ]
        found += self._projection("ssm_f", hidden, self.forget_rank, width)
        found += self._projection("ssm_g", hidden, self.gate_rank, self.heads if self.per_head_gate else width)
        found += [_conv(self.conv, width)] * 3
        return (*found, norm("ssm_a", self.heads), norm("ssm_dt", width), norm("ssm_norm", self.head_dim))

    @staticmethod
    def _projection(role: str, hidden: int, rank: int, width: int) -> list[Tensor]:
        if not rank:
            return [Tensor(role, "other", (hidden, width))]
        return [Tensor(f"{role}_a", "other", (hidden, rank)), Tensor(f"{role}_b", "other", (rank, width))]

    def cache(self) -> tuple[CacheRow, ...]:
        return ()

    def state(self) -> tuple[int, int]:
        return (3 * (self.conv - 1) * self.width, self.head_dim * self.head_dim * self.heads)

    def gqa(self, frame: Frame) -> int:
        return 0


@record
class Mamba:
    """Mamba 1: a diagonal state of `state` per inner channel."""

    inner: int
    state_size: int
    dt_rank: int
    conv: int
    inner_norms: bool = False

    kind = "mamba"

    def tensors(self, frame: Frame) -> tuple[Tensor, ...]:
        found = [
            Tensor("ssm_in", "other", (frame.hidden, 2 * self.inner)),
            Tensor("ssm_x", "other", (self.inner, self.dt_rank + 2 * self.state_size)),
            Tensor("ssm_dt_proj", "other", (self.dt_rank, self.inner)),
            Tensor("ssm_out", "other", (self.inner, frame.hidden)),
            _conv(self.conv, self.inner),
            norm("ssm_conv_bias", self.inner),
            norm("ssm_dt_bias", self.inner),
            Tensor("ssm_a", "other", (self.state_size, self.inner), KEPT_F32),
            norm("ssm_d", self.inner),
        ]
        if self.inner_norms:
            found += [
                norm("ssm_dt_norm", self.dt_rank),
                norm("ssm_b_norm", self.state_size),
                norm("ssm_c_norm", self.state_size),
            ]
        return tuple(found)

    def cache(self) -> tuple[CacheRow, ...]:
        return ()

    def state(self) -> tuple[int, int]:
        return ((self.conv - 1) * self.inner, self.state_size * self.inner)

    def gqa(self, frame: Frame) -> int:
        return 0


@record
class Mamba2:
    """Mamba 2: one scalar decay per head, `groups` shared B and C rows."""

    inner: int
    state_size: int
    groups: int
    heads: int
    conv: int
    norm: bool = True
    conv_bias: bool = True
    bias: bool = False

    kind = "mamba2"

    @property
    def conv_width(self) -> int:
        return self.inner + 2 * self.groups * self.state_size

    def tensors(self, frame: Frame) -> tuple[Tensor, ...]:
        in_rows = self.inner + self.conv_width + self.heads
        found = [
            Tensor("ssm_in", "other", (frame.hidden, in_rows)),
            Tensor("ssm_out", "other", (self.inner, frame.hidden)),
            _conv(self.conv, self.conv_width),
            Tensor("ssm_a", "other", (1, self.heads), KEPT_F32),
            Tensor("ssm_d", "other", (1, self.heads), KEPT_F32),
            norm("ssm_dt_bias", self.heads),
        ]
        if self.norm:
            found.append(norm("ssm_norm", self.inner))
        if self.conv_bias:
            found.append(norm("ssm_conv_bias", self.conv_width))
        if self.bias:
            found += [norm("ssm_in_bias", in_rows), norm("ssm_out_bias", frame.hidden)]
        return tuple(found)

    def cache(self) -> tuple[CacheRow, ...]:
        return ()

    def state(self) -> tuple[int, int]:
        return ((self.conv - 1) * self.conv_width, self.state_size * self.inner)

    def gqa(self, frame: Frame) -> int:
        return 0


@record
class Lightning:
    """Linear attention with a head_dim² matrix per head and no convolution."""

    heads: int
    head_dim: int

    kind = "lightning"

    def tensors(self, frame: Frame) -> tuple[Tensor, ...]:
        hidden, width = frame.hidden, self.heads * self.head_dim
        return (
            Tensor("attn_qkv", "v", (hidden, 3 * width)),
            Tensor("attn_o", "o", (width, hidden)),
            Tensor("attn_gate", "other", (hidden, width)),
            norm("attn_norm_inner", width),
        )

    def cache(self) -> tuple[CacheRow, ...]:
        return ()

    def state(self) -> tuple[int, int]:
        return (0, self.head_dim * self.head_dim * self.heads)

    def gqa(self, frame: Frame) -> int:
        return 0


@record
class ShortConv:
    """A gated short convolution over the hidden width."""

    kernel: int

    kind = "short-conv"

    def tensors(self, frame: Frame) -> tuple[Tensor, ...]:
        hidden = frame.hidden
        return (
            Tensor("conv_in", "other", (hidden, 3 * hidden)),
            Tensor("conv_out", "other", (hidden, hidden)),
            Tensor("conv", "other", (self.kernel, hidden), KEPT_F32),
        )

    def cache(self) -> tuple[CacheRow, ...]:
        return ()

    def state(self) -> tuple[int, int]:
        """Elements for a hidden width of 1; the fold multiplies by the hidden width."""
        return (self.kernel - 1, 0)

    def gqa(self, frame: Frame) -> int:
        return 0


@record
class Linear:
    """A square projection in place of a mixer that a search removed."""

    kind = "linear"

    def tensors(self, frame: Frame) -> tuple[Tensor, ...]:
        return (Tensor("attn_o", "o", (frame.hidden, frame.hidden)),)

    def cache(self) -> tuple[CacheRow, ...]:
        return ()

    def state(self) -> tuple[int, int]:
        return (0, 0)

    def gqa(self, frame: Frame) -> int:
        return 0


@record
class Parallel:
    """Two mixers side by side in one layer, sharing its input."""

    parts: "tuple[Mixer, ...]"

    kind = "parallel"

    def tensors(self, frame: Frame) -> tuple[Tensor, ...]:
        return tuple(tensor for part in self.parts for tensor in part.tensors(frame))

    def cache(self) -> tuple[CacheRow, ...]:
        return tuple(row for part in self.parts for row in part.cache())

    def state(self) -> tuple[int, int]:
        pairs = [part.state() for part in self.parts]
        return (sum(r for r, _ in pairs), sum(s for _, s in pairs))

    def gqa(self, frame: Frame) -> int:
        return max(part.gqa(frame) for part in self.parts)
