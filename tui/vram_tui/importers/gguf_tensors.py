"""What a GGUF file's own tensors weigh, where each lies, and which file type they make."""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import groupby

from vram_tui.estimator.facts import Facts
from vram_tui.estimator.formats import tensor_bytes
from vram_tui.estimator.model import Model
from vram_tui.estimator.stored import OWN, StoredFile
from vram_tui.estimator.tensors import file_layers
from vram_tui.estimator.weights import device_bytes, typed_tensors
from vram_tui.importers.gguf_file import GgufFile, TensorInfo
from vram_tui.importers.gguf_names import written_type

FILE_TYPES: Mapping[int, str] = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4_MOE",
}
"""`general.file_type` as llama.cpp numbers it. Source: include/llama.h, enum llama_ftype."""
GUESSED = 1024
"""A flag in that number: the writer did not know."""

_HOST = frozenset(("token_embd", "position_embd", "token_types", "per_layer_token_embd"))
_LABEL = re.compile(
    r"(?:UD-)?(?:I?Q\d+(?:_[A-Z0-9]+)*|MXFP4(?:_MOE)?|NVFP4|TQ\d_\d|BF16|F16|F32)(?=[-.]|$)", re.IGNORECASE
)
_BLOCK = re.compile(r"blk\.(\d+)\.")


def stored_file(file: GgufFile, model: Model, facts: Facts, *, agrees: bool) -> StoredFile:
    """The weights of the file from its tensor infos, split between device and RAM as llama.cpp does.

    `agrees` says whether the blocks explain the tensor list: then a file type is told apart to the byte.
    """
    names = {tensor.name for tensor in file.tensors}
    layers = [[0, 0] for _ in range(file_layers(model))]
    head = host = loaded = mtp_device = 0
    for tensor in file.tensors:
        size = _device_bytes(tensor)
        if on_host(tensor.name, names):
            host += tensor.bytes
            loaded += tensor.bytes
            if tensor.name == "token_embd.weight" and "output.weight" not in names:
                head += size
            continue
        number = layer_of(tensor.name)
        if is_mtp(tensor.name, model):
            mtp_device += size
            continue
        loaded += tensor.bytes
        if 0 <= number < len(layers):
            layers[number][tensor.name.endswith("_exps.weight")] += size
        else:
            head += size
    quant, like = file_type(file, model, facts, agrees=agrees)
    return StoredFile(
        quant=quant,
        like=like,
        kind="gguf",
        tensor_bytes=file.tensor_bytes,
        loaded_bytes=loaded,
        device_bytes=head + sum(map(sum, layers)),
        host_bytes=host,
        mtp_device_bytes=mtp_device,
        head_bytes=head,
        layers=tuple((len(list(run)), *row) for row, run in groupby((dense, experts) for dense, experts in layers)),
        types=shares(bytes_by_type(file)),
        path=file.name,
    )


def _device_bytes(tensor: TensorInfo) -> int:
    return device_bytes(tensor.kind.name, tensor.ne or (1,))


def on_host(name: str, names: set[str]) -> bool:
    """Whether llama.cpp keeps the tensor in RAM. An embedding norm is one only beside the last norm."""
    stem = name.partition(".")[0]
    return stem in _HOST or (stem == "token_embd_norm" and "output_norm.weight" in names)


def layer_of(name: str) -> int:
    """The number of the tensor's layer, -1 for the model's own tensors."""
    found = _BLOCK.match(name)
    return int(found[1]) if found and len(found[1]) < 6 else -1


def is_mtp(name: str, model: Model) -> bool:
    """Whether the tensor stays on the disk unless multi-token prediction is asked for."""
    return layer_of(name) >= model.layer_count and "indexer.k_norm" not in name


def bytes_by_type(file: GgufFile) -> Counter[str]:
    totals: Counter[str] = Counter()
    for tensor in file.tensors:
        totals[tensor.kind.name] += tensor.bytes
    return totals


def shares(totals: Counter[str]) -> str:
    """The tensor types with their shares of the bytes, largest first, down to one percent."""
    whole = sum(totals.values()) or 1
    return ", ".join(f"{name} {100 * size / whole:.0f} %" for name, size in totals.most_common() if size * 100 >= whole)


def stated_type(file: GgufFile, facts: Facts) -> str | None:
    """The file type that the metadata state, as an id of the formats."""
    number = file.metadata.get("general.file_type")
    if type(number) is not int or number & GUESSED:
        return None
    name = FILE_TYPES.get(number)
    return name if name in facts.formats else None


def file_type(file: GgufFile, model: Model, facts: Facts, *, agrees: bool) -> tuple[str, str]:
    """(format of the file, known format it is closest to): the same id where the tensors are exactly that mixture."""
    own = bytes_by_type(file)
    stated = stated_type(file, facts)
    candidates = [stated] if stated else _candidates(own, facts)
    for quant in candidates:
        for imatrix in (True, False):
            if _same(own, derived_bytes(model, quant, facts, imatrix=imatrix), exact=agrees):
                return quant, quant
    like = stated or (candidates[0] if candidates else "F16")
    return f"{OWN}{_label(file) or like}", like


def _candidates(own: Counter[str], facts: Facts) -> list[str]:
    """File types whose mixture starts from the type that most bytes have."""
    kinds = [known for known in facts.formats.values() if known.kind == "gguf"]
    return [known.id for base, _ in own.most_common() for known in kinds if known.base_type == base]


def derived_bytes(model: Model, quant: str, facts: Facts, *, imatrix: bool) -> Counter[str]:
    """Bytes by type of the mixture that llama.cpp would make of the blocks."""
    totals: Counter[str] = Counter()
    try:
        for tensor, type_name, rows in typed_tensors(model, quant, facts, imatrix=imatrix):
            totals[written_type(tensor, type_name)] += tensor_bytes(type_name, tensor.shape) * len(rows)
    except ValueError:  # a row that the type cannot hold
        return Counter()
    return totals


def _same(own: Counter[str], derived: Counter[str], *, exact: bool) -> bool:
    """Equal to the byte; where the blocks leave tensors unexplained, within half a percent."""
    if exact:
        return own == derived
    apart = sum(abs(own[name] - derived[name]) for name in own.keys() | derived.keys())
    return apart * 200 <= sum(own.values())


def _label(file: GgufFile) -> str:
    """The mixture's name as the file's name gives it: UD-Q4_K_XL."""
    found = _LABEL.findall(re.sub(r"-\d{5}-of-\d{5}", "", file.name.rpartition("/")[2]))
    return found[-1].upper() if found else ""
