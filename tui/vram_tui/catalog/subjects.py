"""Models of the catalogue as the estimator meets them: precomputed where compiled, folded where not."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from vram_tui.catalog.entries import Entry, Published
from vram_tui.estimator.blocks import Attention
from vram_tui.estimator.facts import Facts, Format
from vram_tui.estimator.memory import Weights
from vram_tui.estimator.model import Layer, Model, Stack
from vram_tui.estimator.profile import Profile, profile
from vram_tui.estimator.subject import FoldedSubject

if TYPE_CHECKING:
    from vram_tui.catalog.compiled import Row
    from vram_tui.estimator.compute_setting import ComputeSettings
    from vram_tui.estimator.curves import Curve
    from vram_tui.estimator.traffic import Shape, Traffic
    from vram_tui.estimator.weights import LayerBytes


class CompiledSubject:
    """A subject whose profile and weights are read from the compiled catalogue; blocks only where those lack one."""

    def __init__(
        self,
        id: str,  # noqa: A002 - the name of the protocol
        facts: Facts,
        read_profile: Callable[[], Profile],
        read_model: Callable[[], Model],
        read_shape: "Callable[[], Shape]",
        read_weights: "Callable[[str, bool], Row | None]",
        read_curves: "Callable[[], tuple[Curve, Curve] | None]",
    ) -> None:
        self.id = id
        self._facts = facts
        self._read_profile, self._read_model, self._read_weights = read_profile, read_model, read_weights
        self._read_shape = read_shape
        self._read_curves = read_curves

    @cached_property
    def profile(self) -> Profile:
        return self._read_profile()

    @cached_property
    def model(self) -> Model:
        return self._read_model()

    @cached_property
    def _folded(self) -> FoldedSubject:
        return FoldedSubject(self.id, self.model, self._facts)

    def weights(self, quant: str, imatrix: bool = True, mtp: bool = False) -> Weights:
        row = None if mtp else self._read_weights(quant, imatrix)
        if row is None:
            return self._folded.weights(quant, imatrix, mtp)
        return Weights(*row[:4], self.profile.parameters)

    def layer_bytes(self, quant: str, imatrix: bool = True, mtp: bool = False) -> "LayerBytes":
        return self._folded.layer_bytes(quant, imatrix, mtp)

    @cached_property
    def _shape(self) -> "Shape":
        return self._read_shape()

    def traffic(self, quant: str, imatrix: bool = True) -> "Traffic":
        row = self._read_weights(quant, imatrix)
        if row is None:
            return self._folded.traffic(quant, imatrix)
        from vram_tui.estimator.traffic import Read, traffic_of

        return traffic_of(self._shape, Read(row.always_bytes, row.expert_bytes))

    def compute(self, settings: "ComputeSettings", tokens: int = 0) -> "tuple[Curve, Curve]":
        from vram_tui.estimator.runtimes.llamacpp_compute import DEFAULT

        return (settings == DEFAULT and self._kept_curves) or self._folded.compute(settings, tokens)

    @cached_property
    def _kept_curves(self) -> "tuple[Curve, Curve] | None":
        return self._read_curves()


class PublishedSubject:
    """A model as a page describes it: its own counts and widths, weights at the nominal bits of the format."""

    def __init__(self, entry: Entry, page: Published, facts: Facts) -> None:
        self.id = entry.id
        self._facts = facts
        self._page = page
        self.model = _page_model(entry.model, page)

    @cached_property
    def profile(self) -> Profile:
        found = profile(self.model)
        parameters = self._page.parameters or found.parameters
        return replace(
            found, parameters=parameters, active_parameters=self._page.active or parameters, mtp_parameters=0
        )

    def weights(self, quant: str, imatrix: bool = True, mtp: bool = False) -> Weights:
        """Parameters at the format's bits per weight: a page says nothing about single tensors."""
        from vram_tui.estimator.weights import bits_per_weight

        flat = quant.startswith("bpw:")
        bits = bits_per_weight(quant) if flat else _nominal(self._facts.formats[quant])
        count = self.profile.parameters
        size = round(count * bits / 8)
        return Weights(size, size, size, 0, count)

    def layer_bytes(self, quant: str, imatrix: bool = True, mtp: bool = False) -> "LayerBytes":
        """Those bytes by the elements of the page's layers."""
        from vram_tui.estimator.weights import spread_by_elements

        return spread_by_elements(self.model, self.weights(quant, imatrix))

    def traffic(self, quant: str, imatrix: bool = True) -> "Traffic":
        """The active parameters at the same bits: whatever the page's layers are, a step reads those."""
        from vram_tui.estimator.traffic import Read, shape, traffic_of

        found = self.profile
        read = self.weights(quant, imatrix).device_bytes * found.active_parameters // max(found.parameters, 1)
        flat = shape(self.model)._replace(dense_parameters=found.active_parameters, experts=(), expert_layers=0.0)
        return traffic_of(flat, Read(read, 0))

    def compute(self, settings: "ComputeSettings", tokens: int = 0) -> "tuple[Curve, Curve]":
        from vram_tui.estimator.runtimes.llamacpp_curves import curves

        return curves(self.model, settings)


def _nominal(found: Format) -> float:
    """The bits on a format's label: what a page's rule multiplies with."""
    return found.nominal_bits or found.bits_per_weight


def _page_model(verified: Model, page: Published) -> Model:
    """Attention layers of the widths that the page gives; what it leaves open is taken from the verified blocks."""
    heads = page.heads or 1
    mixer = Attention(
        heads, page.kv_heads or heads, page.head_dim or (page.hidden_size or verified.hidden_size) // heads
    )
    return Model(
        hidden_size=page.hidden_size or verified.hidden_size,
        vocab_size=verified.vocab_size,
        stack=(Stack((Layer(mixer),), page.layers or verified.layer_count),),
        context_tokens=page.context or verified.context_tokens,
    )
