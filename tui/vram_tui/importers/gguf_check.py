"""Blocks beside a GGUF file's tensor list: settle what is optional, and tell what does not agree."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from vram_tui.estimator.blocks import KEPT_F32, Attention
from vram_tui.estimator.model import Layer, Model
from vram_tui.estimator.records import record
from vram_tui.importers.gguf_file import TensorInfo
from vram_tui.importers.gguf_names import FACTORS, NamedTensor, file_tensors
from vram_tui.importers.gguf_tensors import layer_of

SHOWN = 3


@record
class Differences:
    """Tensors of the file that the blocks do not give, and tensors of the blocks that the file lacks."""

    extra: tuple[TensorInfo, ...] = ()
    lacking: tuple[NamedTensor, ...] = ()

    @property
    def extra_elements(self) -> int:
        return sum(tensor.elements for tensor in self.extra)

    def notes(self) -> tuple[str, ...]:
        found = []
        if self.extra:
            names = _listed([f"{tensor.name} ({_shape(tensor.ne)})" for tensor in self.extra])
            found.append(f"the file has {len(self.extra)} tensors that the blocks do not explain: {names}")
        if self.lacking:
            names = _listed([f"{row.name} ({_shape(row.ne)})" for row in self.lacking])
            found.append(f"the blocks expect {len(self.lacking)} tensors that the file does not have: {names}")
        return tuple(found)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _shape(sides: Sequence[int]) -> str:
    return "×".join(map(str, sides))


def _plain(sides: Sequence[int]) -> tuple[int, ...]:
    """A shape without sides of one: converters differ on them."""
    return tuple(side for side in sides if side != 1)


def settle(model: Model, tensors: Sequence[TensorInfo]) -> Model:
    """The model with its file facts as the tensor list has them: what is left out, and what else is stored."""
    names = {tensor.name for tensor in tensors}
    factors = sum(tensor.elements for tensor in tensors if tensor.name in FACTORS)
    gguf = replace(model.gguf, rope_factors=factors, stored_shared_kv=_stored_shared(model, names), left_out=())
    blank = replace(model, gguf=gguf)
    return replace(blank, gguf=replace(gguf, left_out=_left_out(blank, tensors)))


def _is_shared(layer: Layer) -> bool:
    return isinstance(layer.mixer, Attention) and layer.mixer.kv == "shared"


def _stored_shared(model: Model, names: set[str]) -> bool:
    """Whether layers that read another layer's cache keep K or V of their own in the file."""
    numbers = [number for number, layer in enumerate(model.layers()) if _is_shared(layer)]
    return any(f"blk.{number}.attn_{side}.weight" in names for number in numbers for side in "kv")


def _left_out(model: Model, tensors: Sequence[TensorInfo]) -> tuple[str, ...]:
    """Roles that the file has nowhere: in no layer, or in none of those that share K and V."""
    shared = [_is_shared(layer) for layer in model.layers()]

    def places(rows: Iterable[NamedTensor]) -> Counter[tuple[str, bool]]:
        return Counter((row.tensor.role, shared[row.layer]) for row in rows if row.layer >= 0 and not row.mtp)

    wanted, lacking = places(file_tensors(model)), places(compare(model, tensors).lacking)
    gone = {place for place, count in lacking.items() if wanted[place] == count}
    found = []
    for role, in_shared in sorted(gone):
        if not in_shared and (wanted[role, True] == 0 or (role, True) in gone):
            found.append(role)
        elif in_shared and (role, False) not in gone:
            found.append(f"shared:{role}")
    return tuple(found)


def _alike(tensor: TensorInfo, row: NamedTensor | None) -> bool:
    """Whether a tensor is the one that the blocks give; small vectors may lie in other rows."""
    if row is None:
        return False
    small = row.tensor.keep == KEPT_F32 and tensor.elements == row.tensor.elements
    return small or _plain(tensor.ne) == _plain(row.ne)


def compare(model: Model, tensors: Sequence[TensorInfo]) -> Differences:
    """The blocks' tensors beside the file's, layer by layer, by shape: names may differ between writers."""
    derived = file_tensors(model)
    named = {row.name: row for row in derived}
    own = [tensor for tensor in tensors if tensor.name not in FACTORS]
    unmatched = [tensor for tensor in own if not _alike(tensor, named.get(tensor.name))]
    matched = {tensor.name for tensor in own} - {tensor.name for tensor in unmatched}
    wanted = [row for row in derived if row.name not in matched and row.tensor.role != "rope_factors"]
    open_places = Counter((row.layer, _plain(row.ne)) for row in wanted)
    extra = []
    for tensor in unmatched:
        place = (layer_of(tensor.name), _plain(tensor.ne))
        if open_places[place]:
            open_places[place] -= 1
        else:
            extra.append(tensor)
    lacking = []
    for row in wanted:
        place = (row.layer, _plain(row.ne))
        if open_places[place]:
            open_places[place] -= 1
            lacking.append(row)
    return Differences(tuple(extra), tuple(lacking))
