"""A sample of the catalogue through llama.cpp's own allocator, and how its answers are graded."""

import pytest
from benchmarks.sweep import matching, swept
from benchmarks.sweep_page import Outcome, page

from vram_tui.verify import library
from vram_tui.verify.comparing import Comparison, Line
from vram_tui.verify.library import UnavailableError

try:
    library.installed()
    INSTALLED = True
except UnavailableError:
    INSTALLED = False

SAMPLE = (
    "baidu/ERNIE-4.5-21B-A3B-PT",
    "bigcode/starcoder2-3b",
    "deepseek-ai/DeepSeek-V4-Flash",
    "ibm-granite/granite-4.0-1b",
    "ibm-granite/granite-swash-2b",
    "inclusionAI/Ling-mini-2.0",
    "JetBrains/Mellum2-12B-A2.5B-Instruct",
    "nvidia/Llama-3_3-Nemotron-Super-49B-v1",
    "nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-BF16",
    "Qwen/Qwen3-8B",
    "tencent/Hy4-preview",
    "tiiuae/falcon-40b",
    "zai-org/GLM-5.3-Flash",
)
"""One of each kind that the writer of headers, or an entry, once had wrong, and a plain one."""


@pytest.mark.skipif(not INSTALLED, reason="needs the `verify` extra")
@pytest.mark.parametrize("known", SAMPLE)
def test_llama_cpp_loads_what_an_entry_says_and_counts_the_same(known: str) -> None:
    outcome = swept(known)
    assert outcome.grade in ("exact", "close", "different"), outcome.told
    assert outcome.miscounted is None, outcome.told


def answered(*lines: Line, refusal: str = "") -> Outcome:
    return Outcome("vendor/model", "llama", (Comparison("the CPU alone", lines, refusal),))


WEIGHTS = Line("CPU", "weights", 10**9, 10**9)


@pytest.mark.parametrize(
    ("outcome", "grade", "holds"),
    [
        (Outcome("vendor/model", ""), "unknown", True),
        (answered(refusal="unknown model architecture: 'x'"), "unknown", True),
        (answered(refusal="tensor 'output.weight' not found"), "refused", False),
        (answered(WEIGHTS), "exact", True),
        (answered(WEIGHTS, Line("CPU", "compute buffer", 1000, 995)), "close", True),
        (answered(WEIGHTS, Line("CPU", "compute buffer", 1000, 900)), "different", True),
        (answered(Line("CPU", "weights", 10**9, 10**9 - 300)), "close", True),
        (answered(Line("CPU", "weights", 10**9, 10**9 - 3000)), "different", False),
        (answered(WEIGHTS, Line("CPU", "KV cache and state", 1000, 999)), "different", False),
    ],
)
def test_an_answer_is_graded_by_its_worst_term(outcome: Outcome, grade: str, holds: bool) -> None:
    assert (outcome.grade, outcome.holds) == (grade, holds)


def test_the_page_lists_every_entry_that_is_not_equal() -> None:
    off, refused = answered(Line("CPU", "weights", 100, 99)), answered(refusal="tensor 'x' not found")
    text = page([answered(WEIGHTS), off, refused], "Q8_0", 4096)
    assert text.index("## Refused") < text.index("tensor 'x' not found") < text.index("## Different")
    assert "-1.00%" in text
    assert "## Not known" not in text


def test_entries_are_found_by_their_id_and_by_their_architecture() -> None:
    assert "tiiuae/falcon-40b" in matching("falcon-40")
    assert set(matching("mellum")) == {"JetBrains/Mellum-4b-base", "JetBrains/Mellum2-12B-A2.5B-Instruct"}
