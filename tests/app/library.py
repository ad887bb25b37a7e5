"""A small library for the tests of screens: a fixed choice of shipped models, so that pictures stay as they are."""

from collections.abc import Callable, Sequence

from vram_tui.catalog import Catalog, Summary, load_catalog
from vram_tui.catalog.entries import Entry
from vram_tui.catalog.hardware import HardwareCatalogue
from vram_tui.catalog.search import Searcher
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.subject import Subject

MODELS = (
    "deepseek-ai/DeepSeek-V3.2",
    "deepseek-ai/DeepSeek-V4-Pro",
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
    "google/gemma-3-12b-it",
    "google/gemma-3-27b-it",
    "google/gemma-4-26B-A4B-it",
    "google/gemma-4-31B-it",
    "LiquidAI/LFM2-1.2B",
    "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Llama-3.3-70B-Instruct",
    "mistralai/Mistral-Small-3.2-24B-Instruct-2506",
    "moonshotai/Kimi-K2-Instruct",
    "openai/gpt-oss-120b",
    "openai/gpt-oss-20b",
    "microsoft/phi-4",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-14B",
    "Qwen/Qwen3-30B-A3B",
    "Qwen/Qwen3-32B",
    "Qwen/Qwen3-235B-A22B",
    "Qwen/Qwen3-Next-80B-A3B-Instruct",
    "Qwen/Qwen3.5-397B-A17B",
    "Qwen/Qwen3.6-27B",
    "Qwen/Qwen3.6-35B-A3B",
    "state-spaces/mamba-2.8b-hf",
    "zai-org/GLM-4.5-Air",
    "zai-org/GLM-4.7",
    "zai-org/GLM-4.7-Flash",
    "zai-org/GLM-5",
    "zai-org/GLM-5.1",
    "zai-org/GLM-5.2",
    "zai-org/GLM-5.3",
)


class Sample:
    """The chosen entries of the shipped catalogue."""

    def __init__(self, models: Sequence[str] = MODELS) -> None:
        self._catalog: Catalog = load_catalog(user=False)
        self.facts: Facts = self._catalog.facts
        self.hardware: HardwareCatalogue = self._catalog.hardware
        self.entries: tuple[Summary, ...] = tuple(row for row in self._catalog.entries if row.id in models)
        self._searcher = Searcher(self.entries)

    def entry(self, model: str, /) -> Entry:
        return self._catalog.entry(model)

    def adopt(self, entry: Entry, /) -> None:
        self._catalog.adopt(entry)
        others = tuple(row for row in self.entries if row.id != entry.id)
        self.entries = tuple(sorted((*others, self._catalog.summary(entry.id)), key=lambda row: row.id.casefold()))
        self._searcher = Searcher(self.entries)

    def subject(self, model: str, /, profile: str = "verified") -> Subject:
        return self._catalog.subject(model, profile)

    def listed_bytes(self, model: str, /) -> int | None:
        return self._catalog.listed_bytes(model)

    def search(self, query: str, memory: Callable[[str], int | None] | None = None) -> Sequence[Summary]:
        return self._searcher.search(query, memory)
