"""Models of the catalogue as the estimator meets them: precomputed where compiled, folded where not."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

from vram_tui.catalog.entries import Entry, Published
from vram_tui.estimator.blocks import Attention
from vram_tui.estimator.facts import Facts, Format
from vram_tui.estimator.memory import Weights
from vram_tui.estimator.model import Layer, Model, Stack
from vram_tui.estimator.profile import Profile, profile
from vram_tui.estimator.subject import FoldedSubject

Row = tuple[int, int, int, int]


class CompiledSubject:
    """A subject whose profile and weights are read from the compiled catalogue; blocks only where those lack one."""

    def __init__(
        self,
        id: str,  # noqa: A002 - the name of the protocol
        facts: Facts,
        read_profile: Callable[[], Profile],
        read_model: Callable[[], Model],
        read_weights: Callable[[str, bool], Row | None],
    ) -> None:
        self.id = id
        self._facts = facts
        self._read_profile, self._read_model, self._read_weights = read_profile, read_model, read_weights

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
        return Weights(*row, self.profile.parameters)


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
