"""What every command works with: the catalogue, models by any name, machines, and one way to estimate a cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vram_tui.catalog import Catalog, load_catalog
from vram_tui.commands.errors import CommandError, NothingFoundError
from vram_tui.estimator.records import record

if TYPE_CHECKING:
    from vram_tui.estimator.devices import Machine
    from vram_tui.estimator.estimate import Estimate
    from vram_tui.estimator.facts import Facts
    from vram_tui.estimator.memory import Memory
    from vram_tui.estimator.scenario import Scenario
    from vram_tui.estimator.subject import Subject

DEFAULT_QUANT = "Q4_K_M"


@record
class Chosen:
    """A model that a command was given: the subject, what to call it, and the defaults it brings."""

    subject: Subject
    id: str
    name: str
    quant: str
    native_tokens: int


class Workspace:
    """Loads the catalogue when first asked and remembers what was looked up: a batch asks for the same models often."""

    def __init__(self, catalog_dir: Path | None = None, *, user: bool = True) -> None:
        self._catalog_dir = catalog_dir
        self._user = user
        self._chosen: dict[tuple[str, str], Chosen] = {}
        self._machines: dict[str, Machine] = {}

    @cached_property
    def catalog(self) -> Catalog:
        return load_catalog(self._catalog_dir, user=self._user)

    @property
    def facts(self) -> Facts:
        return self.catalog.facts

    def choose(self, model: str | Mapping[str, Any], profile: str = "verified") -> Chosen:
        """A model by catalogue id or part of it, by path, or as an inline configuration. Raises CommandError."""
        if isinstance(model, str):
            known = self._chosen.get((model, profile))
            if known is None:
                known = self._chosen[(model, profile)] = self._look_up(model, profile)
            return known
        from vram_tui.estimator.subject import FoldedSubject
        from vram_tui.importers.hf_config import model_from_config

        converted = model_from_config(model)
        return self._folded("inline", FoldedSubject("inline", converted.model, self.facts), DEFAULT_QUANT)

    def _look_up(self, text: str, profile: str) -> Chosen:
        from vram_tui.catalog import Ambiguous, NotFound

        try:
            known = self.catalog.find(text)
        except Ambiguous as error:
            raise CommandError(str(error), "model") from None
        except NotFound as error:
            chosen = self._from_path(text)
            if chosen is None:
                raise NothingFoundError(str(error), "model") from None
            return chosen
        entry = self.catalog.entry(known)
        if profile == "published" and entry.published is None:
            raise CommandError(f"{known} has no published profile beside the verified one", "profile")
        own = next((file.quant for file in entry.files if file.kind == "gguf"), DEFAULT_QUANT)
        return Chosen(self.catalog.subject(known, profile), known, entry.name, own, entry.context_native or 0)

    def _from_path(self, text: str) -> Chosen | None:
        path = Path(text).expanduser()
        if not (path.suffix.lower() in (".gguf", ".json", ".safetensors") or path.is_dir()):
            return None
        from vram_tui.importers.files import subject_from_path

        found = subject_from_path(path, self.facts)
        return self._folded(found.name, found.subject, found.quant or DEFAULT_QUANT)

    @staticmethod
    def _folded(name: str, subject: Subject, quant: str) -> Chosen:
        return Chosen(subject, subject.id, name, quant, subject.model.context_tokens)

    def machine(self, text: str) -> Machine:
        """The machine that a HARDWARE text names; `local` is the detected one. Raises HardwareError, CommandError."""
        known = self._machines.get(text)
        if known is None:
            known = self._machines[text] = self._find_machine(text)
        return known

    def _find_machine(self, text: str) -> Machine:
        if text.lower() in ("local", "here"):
            from vram_tui.hardware.detect import detect

            detection = detect(self.catalog.hardware)
            return detection.machine
        from vram_tui.catalog.hardware_text import parse_hardware

        return parse_hardware(text, self.catalog.hardware)

    def scenario(self, options: Mapping[str, Any]) -> Scenario:
        from vram_tui.commands.options import scenario_from
        from vram_tui.estimator.front_ends import default_seqs

        scenario = scenario_from(options)
        if "seqs" not in options:
            scenario = replace(scenario, seqs=default_seqs(self.facts.runtimes[scenario.runtime]))
        if "gpus" in options:
            scenario = replace(scenario, machine=self.machine(options["gpus"]))
        return scenario

    def answer(self, model: str | Mapping[str, Any], options: Mapping[str, Any]) -> Estimate:
        """The estimate that a command line or a batch line asks for."""
        chosen = self.choose(model, options.get("profile", "verified"))
        scenario = self.scenario(options)
        return self.cell(chosen, options.get("quant", chosen.quant), self.context(chosen, options), scenario)

    def cell(self, chosen: Chosen, quant: str, ctx: int, scenario: Scenario) -> Estimate:
        """One answer; the id in it is the one the person sees."""
        from vram_tui.estimator.estimate import estimate

        try:
            return estimate(chosen.subject, quant, ctx, scenario, self.facts)
        except KeyError:
            raise CommandError(f"no format '{quant[:40]}' (see vram-tui quants)", "quant") from None

    def memory(self, chosen: Chosen, quant: str, scenario: Scenario) -> Memory:
        from vram_tui.estimator import compiling

        return compiling.compile(chosen.subject, quant, scenario, self.facts)

    def context(self, chosen: Chosen, options: Mapping[str, Any]) -> int:
        if "ctx" in options:
            return int(options["ctx"])
        from vram_tui.estimator.front_ends import default_ctx

        scenario = self.scenario(options)
        own = default_ctx(self.facts.runtimes[scenario.runtime], scenario.machine, chosen.native_tokens)
        if own:
            return own
        if not chosen.native_tokens:
            raise CommandError(f"{chosen.name} states no native context: give --ctx", "ctx")
        return chosen.native_tokens
