"""Sizes of published GGUF files beside ours; files that other rules wrote are listed apart, with the reason."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from benchmarks.measuring import Case
from benchmarks.names import Names
from benchmarks.recorded import catalog
from tests.truth import rows

from vram_tui.estimator.subject import Subject
from vram_tui.estimator.units import GIB
from vram_tui.estimator.weights import weigh

Row = Mapping[str, Any]
FILE_TYPES = {
    "BF16": "BF16",
    "F16": "F16",
    "Q4_0": "Q4_0",
    "mostly Q4_0": "Q4_0",
    "Q6_K": "Q6_K",
    "Q8_0": "Q8_0",
    "Q2_K": "Q2_K",
    "Q3_K_M": "Q3_K_M",
    "Q4_K_M": "Q4_K_M",
    "Q2_K - Medium": "Q2_K",
    "Q2_K - Small": "Q2_K_S",
    "Q3_K - Medium": "Q3_K_M",
    "Q4_K - Small": "Q4_K_S",
    "Q4_K - Medium": "Q4_K_M",
    "Q5_K - Small": "Q5_K_S",
    "Q5_K - Medium": "Q5_K_M",
    "IQ1_S - 1.5625 bpw": "IQ1_S",
    "IQ2_M - 2.7 bpw": "IQ2_M",
    "IQ3_S - 3.4375 bpw": "IQ3_S",
    "IQ4_NL - 4.5 bpw": "IQ4_NL",
    "IQ4_XS": "IQ4_XS",
    "IQ4_XS - 4.25 bpw": "IQ4_XS",
    "TQ2_0 - 2.06 bpw ternary": "TQ2_0",
    "MXFP4 MoE": "MXFP4_MOE",
    "MXFP4_MOE": "MXFP4_MOE",
    "MXFP4 - 4.25 bpw": "MXFP4_MOE",
}
"""How loaders and tables call the file types of llama.cpp."""
FORK_TYPES = re.compile(r"_R\d|IQ\d_K(?:S|SS|T|L)?\b|IQ2_BN|I2_S|TriLM")
"""Formats that only a fork writes."""
HAND_MIXED = re.compile(r"\b(?:UD|AD)-|IQ4_K__|_XL\b")
"""Names of files whose tensor types were chosen by hand."""
BY_ARCHITECTURE = {
    ("deepseek2", 671): "deepseek-ai/DeepSeek-V3",
    ("deepseek2", 672): "deepseek-ai/DeepSeek-V3",
    ("deepseek2", 16): "deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct",
    ("deepseek2", 30): "zai-org/GLM-4.7-Flash",
    ("gemma3", 27): "google/gemma-3-27b-it",
    ("gemma4", 25): "google/gemma-4-26B-A4B-it",
    ("gemma4", 31): "google/gemma-4-31B-it",
    ("glm4moe", 110): "zai-org/GLM-4.5-Air",
    ("gpt-oss", 117): "openai/gpt-oss-120b",
    ("gpt-oss", 21): "openai/gpt-oss-20b",
    ("llama", 406): "meta-llama/Llama-3.1-405B-Instruct",
    ("llama", 13): "meta-llama/Llama-2-13b-chat-hf",
    ("mistral3", 14): "mistralai/Ministral-3-14B-Instruct-2512",
    ("qwen2", 8): "Qwen/Qwen2-7B-Instruct",
    ("qwen3next", 80): "Qwen/Qwen3-Next-80B-A3B-Instruct",
    ("qwen35", 27): "Qwen/Qwen3.5-27B",
}
"""What tables that name only the architecture mean, by the printed billions of parameters."""
BY_NAME = {
    "Qwen3-235B-A22B-128K": "Qwen/Qwen3-235B-A22B",
    "Qwen3-30B-A3B-128K": "Qwen/Qwen3-30B-A3B",
    "Meta_Llama_3.1_8b_it": "meta-llama/Llama-3.1-8B-Instruct",
    "Llama 3.1 70B Instruct 2024 12": "meta-llama/Llama-3.3-70B-Instruct",
    "Kimi K2 Instruct Bf16 Safetensors": "moonshotai/Kimi-K2-Instruct",
    "DeepSeek V3.1 Terminus Bf16 Safetensors": "deepseek-ai/DeepSeek-V3.1-Terminus",
    "unsloth_DeepSeek R1 BF16": "deepseek-ai/DeepSeek-R1",
    "Zai org_GLM 4.6": "zai-org/GLM-4.6",
    "Qwen3.5-35B-A3B-Uncensored-HauhauCS-Aggressive": "Qwen/Qwen3.5-35B-A3B",
    "Nemotron-3-Nano-30B-A3B": "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
    "Qwen3.8-27B (other upload @c882514)": "Qwen/Qwen3.8-27B",
    "Qwen3.8-Flash-Next class": "Qwen/Qwen3.8-Flash-Next",
}
"""Names that only tell another packing, or a fine-tune of the same shape."""
SCALES = {"M": 1e6, "B": 1e9, "T": 1e12}


class FileSize(NamedTuple):
    """A published file: the printed size and ours in bytes (0 where it is not compared), and why it stands apart."""

    row: Row
    model: str
    printed: float
    found: int
    reason: str

    @property
    def error(self) -> float:
        """0 where our size prints the same."""
        return 0.0 if _prints(self.found, self.printed, str(self.row["size_gib"])) else self.found / self.printed - 1


def files() -> Iterator[FileSize]:
    """Every published file, in order."""
    names = Names(entry.id for entry in catalog().entries)
    for row in rows("gguf_file_sizes"):
        yield _file(row, names)


def published() -> Iterator[Case]:
    """The files that llama.cpp's own rules wrote."""
    for file in files():
        if not file.reason:
            yield Case("published files", FILE_TYPES[file.row["quant"]], file.error)


def _file(row: Row, names: Names) -> FileSize:
    printed = row["size_gib"] * GIB
    model = _model(row, names)
    reason = _foreign(row) or ("" if model else "the model is not in the catalogue")
    if reason:
        return FileSize(row, model, printed, 0, reason)
    subject, quant = catalog().subject(model), FILE_TYPES[row["quant"]]
    sizes = [subject.weights(quant, imatrix=imatrix).file_bytes for imatrix in (True, False)]
    found = min(sizes, key=lambda size: abs(size - printed))
    file = FileSize(row, model, printed, found, "")
    return file._replace(reason=_other_tensors(file, subject) or (_other_rules(file, subject) if file.error else ""))


def _model(row: Row, names: Names) -> str:
    name = row["model"]
    known = BY_NAME.get(name)
    if known is None:
        billions = round(_parameters(row) / 1e9)
        known = BY_ARCHITECTURE.get((name.split()[0], billions), "") if row["kind"] == "llama-bench table" else ""
    if not known:
        try:
            known = names.find(name.replace(" ", "-"))
        except KeyError:
            return ""
    return known if any(entry.id == known for entry in catalog().entries) else ""


def _foreign(row: Row) -> str:
    """Why the file's tensor types are not those of a llama.cpp file type, from what the row says."""
    told = f"{row['quant']} {row['note'] or ''} {row['source']}"
    if "mmproj" in row["model"]:
        return "a vision encoder, no language model"
    if HAND_MIXED.search(told):
        return "tensor types chosen by hand (the file's name says so)"
    if FORK_TYPES.search(row["quant"]):
        return "a format of a fork"
    if row["quant"] not in FILE_TYPES:
        return "no file type of llama.cpp"
    named = re.search(r"file-name quant (\S+)", row["note"] or "")
    if named and named[1] not in (FILE_TYPES[row["quant"]], row["quant"]):
        return f"the file is named {named[1]}: its header's type is not what was written"
    if row["quant"] in ("F16", "BF16") and 0 < row["size_gib"] * GIB * 8 < 15 * _parameters(row):
        return "named after 16 bits, with experts left in the 4 bits they were released in"
    return ""


def _other_tensors(file: FileSize, subject: Subject) -> str:
    """Whether the printed number of parameters is that of another tensor list."""
    row, printed = file.row, _parameters(file.row)
    if not printed or not file.error:
        return ""
    ours = subject.weights("F16").parameters
    digits, scale = row["params"].split()
    step = 10.0 ** -len(digits.partition(".")[2]) * SCALES[scale]
    if abs(ours - printed) <= step:
        return ""
    return f"another tensor list: it prints {row['params']} parameters, llama.cpp's has {ours / 1e9:.3f} B"


def _other_rules(file: FileSize, subject: Subject) -> str:
    """Whether who wrote the file, or when, explains the difference."""
    row, text, quant = file.row, str(file.row["size_gib"]), FILE_TYPES[file.row["quant"]]
    if _prints(subject.weights(quant).loaded_bytes, file.printed, text):
        return "converted without the MTP layers"
    older = replace(subject.model, gguf=replace(subject.model.gguf, mla="expanded"))
    whole = weigh(older, quant, catalog().facts, imatrix=True, mtp=False).file_bytes
    if _prints(whole, file.printed, text):
        return "converted before latent heads were split (older than April 2025): equal with them whole"
    if catalog().entry(file.model).partial:
        return "the catalogue's entry is marked partial"
    if "ik_llama" in row["source"]:
        return "written by a fork, whose mixtures have rules of their own and can be set by hand"
    if "github.com/ollama" in row["source"]:
        return "written by Ollama's own quantizer"
    if row["kind"] == "model-card/table":
        return "from a card that does not say how the file was made"
    return ""


def _parameters(row: Row) -> float:
    found = re.fullmatch(r"([\d.]+) ([MBT])", row["params"] or "")
    return float(found[1]) * SCALES[found[2]] if found else 0.0


def _prints(found: int, printed: float, text: str) -> bool:
    """Whether bytes round (or are cut off) to a size that was printed with these digits."""
    digits = len(text.partition(".")[2])
    return abs(found - printed) <= 1.01 * 10.0**-digits * GIB
