"""What `compile` needs of a model: its profile and its weights per format, folded here or read precomputed."""

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Protocol

from vram_tui.estimator.facts import Facts
from vram_tui.estimator.memory import Weights
from vram_tui.estimator.model import Model
from vram_tui.estimator.profile import Profile, profile

if TYPE_CHECKING:
    from vram_tui.estimator.compute_setting import ComputeSettings
    from vram_tui.estimator.curves import Curve
    from vram_tui.estimator.traffic import Traffic
    from vram_tui.estimator.weights import LayerBytes


KEPT_CURVES, KEPT_POINTS, KEPT_FORMATS, KEPT_LAYERS = 256, 64, 64, 16
"""What a subject remembers: settings with whole compute curves and at single contexts, formats, and those by layer."""


class Subject(Protocol):
    """A model as the estimator meets it. The catalogue hands out precomputed ones, importers fold theirs here."""

    @property
    def id(self) -> str: ...

    @property
    def profile(self) -> Profile: ...

    @property
    def model(self) -> Model: ...

    def weights(self, quant: str, imatrix: bool = True, mtp: bool = False) -> Weights:
        """Bytes in a format. Raises KeyError for a format nobody knows, ValueError for one that cannot be."""
        ...

    def layer_bytes(self, quant: str, imatrix: bool = True, mtp: bool = False) -> "LayerBytes":
        """The same bytes layer by layer. Raises what `weights` raises, Refusal where nobody says."""
        ...

    def traffic(self, quant: str, imatrix: bool = True) -> "Traffic":
        """What a step reads and computes in a format. Raises what `weights` raises."""
        ...

    def compute(self, settings: "ComputeSettings", tokens: int = 0) -> "tuple[Curve, Curve]":
        """llama.cpp's compute bytes on the device and on the host, over the tokens of one stream.

        Whoever names `tokens` needs the figure there alone, and may get curves that are level everywhere else.
        """
        ...


class FoldedSubject:
    """A subject that folds the blocks when asked, and remembers the answers."""

    def __init__(self, subject_id: str, model: Model, facts: Facts) -> None:
        self.id = subject_id
        self.model = model
        self._facts = facts
        self._weigh = lru_cache(maxsize=KEPT_FORMATS)(self._weigh_now)
        self._layers = lru_cache(maxsize=KEPT_LAYERS)(self._layers_now)
        self._traffic = lru_cache(maxsize=KEPT_FORMATS)(self._traffic_now)
        self._points = lru_cache(maxsize=KEPT_POINTS)(self._points_now)
        self._curves: dict[ComputeSettings, tuple[Curve, Curve]] = {}

    @cached_property
    def profile(self) -> Profile:
        return profile(self.model)

    def weights(self, quant: str, imatrix: bool = True, mtp: bool = False) -> Weights:
        return self._weigh(quant, imatrix, mtp)

    def _weigh_now(self, quant: str, imatrix: bool, mtp: bool) -> Weights:
        from vram_tui.estimator.weights import weigh

        return weigh(self.model, quant, self._facts, imatrix=imatrix, mtp=mtp)

    def layer_bytes(self, quant: str, imatrix: bool = True, mtp: bool = False) -> "LayerBytes":
        return self._layers(quant, imatrix, mtp)

    def _layers_now(self, quant: str, imatrix: bool, mtp: bool) -> "LayerBytes":
        from vram_tui.estimator.weights import layer_bytes

        return layer_bytes(self.model, quant, self._facts, imatrix=imatrix, mtp=mtp)

    def traffic(self, quant: str, imatrix: bool = True) -> "Traffic":
        return self._traffic(quant, imatrix)

    def _traffic_now(self, quant: str, imatrix: bool) -> "Traffic":
        from vram_tui.estimator.traffic import traffic

        return traffic(self.model, quant, self._facts, imatrix=imatrix)

    def compute(self, settings: "ComputeSettings", tokens: int = 0) -> "tuple[Curve, Curve]":
        from vram_tui.estimator.runtimes.llamacpp_curves import curves

        found = self._curves.get(settings)
        if found is None and tokens:
            return self._points(settings, tokens)
        if found is None:
            if len(self._curves) >= KEPT_CURVES:
                self._curves.clear()
            found = self._curves[settings] = curves(self.model, settings)
        return found

    def _points_now(self, settings: "ComputeSettings", tokens: int) -> "tuple[Curve, Curve]":
        from vram_tui.estimator.runtimes.llamacpp_curves import points

        return points(self.model, settings, tokens)


class AtOnePoint:
    """A subject that is asked for one context alone: its compute buffer need not be followed over all of them."""

    def __init__(self, subject: Subject) -> None:
        self.whole = subject
        self.tokens = 0
        """Of one stream at that context."""
        self.level = False
        """Whether the compute curves that it gave are right at those tokens alone."""
        self.weights, self.layer_bytes, self.traffic = subject.weights, subject.layer_bytes, subject.traffic

    @property
    def id(self) -> str:
        return self.whole.id

    @property
    def profile(self) -> Profile:
        return self.whole.profile

    @property
    def model(self) -> Model:
        return self.whole.model

    def compute(self, settings: "ComputeSettings", tokens: int = 0) -> "tuple[Curve, Curve]":
        found = self.whole.compute(settings, tokens or self.tokens)
        self.level = len(found[0].contexts) == 1
        return found
