"""Published speed measurements beside our estimates: names resolved through the catalogue's aliases."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import tomli
from benchmarks.names import Names

from vram_tui.catalog.hardware import HardwareCatalogue
from vram_tui.estimator import speed_llamacpp, speed_serving
from vram_tui.estimator.devices import Device
from vram_tui.estimator.facts import Facts
from vram_tui.estimator.model import Model
from vram_tui.estimator.sharding import Plan
from vram_tui.estimator.speed import compute_of
from vram_tui.estimator.speed_constants import Rate, look
from vram_tui.estimator.traffic import Traffic, traffic

RUNTIMES = {"vllm": "vllm", "sglang": "sglang", "trtllm": "tensorrt-llm", "llama.cpp": "llama.cpp"}


@dataclass(frozen=True, slots=True)
class Compared:
    """One measured row and the estimate for it. `kind` is decode, prefill or first-token; `group` names its class."""

    row: Mapping[str, Any]
    kind: str
    group: str
    model_kind: str
    measured: float
    rate: Rate

    @property
    def error(self) -> float:
        """Estimate over measurement, less one."""
        return self.rate.tokens_per_s / self.measured - 1

    @property
    def inside(self) -> bool:
        return self.rate.low <= self.measured <= self.rate.high


class Bench:
    """Looks rows up: `model_of` maps a catalogue id to its Model, `names` finds ids by what tables call them.

    `unresolved` collects rows whose hardware or model the catalogue does not have.
    """

    def __init__(
        self,
        catalog_dir: Path,
        facts: Facts,
        hardware: HardwareCatalogue,
        names: Names,
        model_of: Callable[[str], Model],
    ) -> None:
        self.unresolved: list[Mapping[str, Any]] = []
        self._names = names
        self.facts = self.shipped = facts
        self._hardware = hardware
        self._aliases = tomli.loads((catalog_dir / "speed_aliases.toml").read_text(encoding="utf-8"))
        self._model_of = model_of
        self._traffic = cache(self._traffic_now)

    def device(self, name: str) -> Device:
        """The catalogue's device for a measurement's name. Raises KeyError where nothing fits."""
        alias = self._aliases["hardware"].get(name)
        if alias is None:
            found = self._hardware.find(name)
            if not found:
                raise KeyError(name)
            return self._hardware.devices_of(found[0])[0]
        entry = self._hardware.accelerators[alias["device"]]
        device = self._hardware.devices_of(alias["device"])[0]
        if "cores" in alias and entry.gpu_cores and device.fp16_tflops:
            device = replace(device, fp16_tflops=device.fp16_tflops * alias["cores"] / entry.gpu_cores)
        return device

    def model_id(self, name: str) -> str:
        return str(self._aliases["models"].get(name) or self._names.find(name))

    def format(self, name: str, model_id: str) -> str:
        """The format id of a measurement's word for it."""
        special = self._aliases["formats_by_model"].get(model_id, {})
        return str(special.get(name) or self._aliases["formats"].get(name, name))

    def traffic(self, row: Mapping[str, Any]) -> Traffic:
        model_id = self.model_id(row["model"])
        return self._traffic(model_id, self.format(row["quant"], model_id))

    def _traffic_now(self, model_id: str, quant: str) -> Traffic:
        return traffic(self._model_of(model_id), quant, self.facts)

    def compare(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Compared]:
        """Every row that names hardware and a model of the catalogue, with our estimates."""
        for row in rows:
            try:
                found = tuple(self._serving(row) if row["kind"] == "serve" else self._llamacpp(row))
            except KeyError:
                self.unresolved.append(row)
                continue
            yield from found

    def _llamacpp(self, row: Mapping[str, Any]) -> Iterator[Compared]:
        device, model = self.device(row["hardware"]), self.traffic(row)
        count = int(row.get("n_gpu") or 1)
        shares = [speed_llamacpp.Share(device, 1 / count, 1 / count, 1 / count)] * count
        runtime = self.facts.runtimes["llama.cpp"]
        variant = "2024" if "2024" in row["runtime"] else ""
        kind = "experts" if model.experts else "dense"
        api = "vulkan" if "Vulkan" in row["runtime"] else "rocm" if "ROCm" in row["runtime"] else ""
        chip = "metal" if device.device_class.startswith("metal") else "cuda" if device.vendor == "NVIDIA" else "other"
        group = f"llama.cpp {api or chip} {'single' if count == 1 else 'split'}"
        if row["kind"] == "tg":
            batch = float(row.get("batch") or 1)
            context = float(row["ctx"])
            rate = speed_llamacpp.decode(model, shares, runtime, batch=batch, context=context, variant=variant)
            yield Compared(row, "decode", group, kind, row["tok_s"] / batch, rate)
            return
        tokens = float(row["n"])
        past = max(0.0, float(row["ctx"]) - tokens / 2)
        plain = self.format(row["quant"], self.model_id(row["model"])) in ("F16", "BF16")
        rate = speed_llamacpp.prefill(
            model, shares, runtime, tokens=tokens, past=past, plain_16_bit=plain, variant=variant
        )
        yield Compared(row, "prefill", group, kind, row["tok_s"], rate)

    def _serving(self, row: Mapping[str, Any]) -> Iterator[Compared]:
        device, model = self.device(row["hardware"]), self.traffic(row)
        runtime = self.facts.runtimes[RUNTIMES[row["runtime"].split()[0]]]
        plan, batch = plan_of(row)
        compute = compute_of(self.format(row["quant"], self.model_id(row["model"])), self.facts)
        kind = "experts" if model.experts else "dense"
        rate = speed_serving.decode(
            model,
            device,
            plan,
            runtime,
            self.facts,
            batch=batch,
            context=row["isl"] + row["osl"] / 2,
            compute=compute,
            prompt=row["isl"],
            answer=row["osl"],
        )
        yield Compared(row, "decode", f"{runtime.id} {kind}", kind, 1000 / row["tpot_ms"], rate)
        fitted = look(runtime, device, "prefill_use", kind).basis == "fitted"
        if row.get("ttft_ms") and batch <= speed_serving.EASY_BATCH and fitted:
            first = speed_serving.first_token(
                model, device, plan, runtime, prompt=row["isl"], batch=batch, compute=compute
            )
            measured = row["isl"] / (row["ttft_ms"] / 1000)
            yield Compared(row, "first-token", f"{runtime.id} {kind}", kind, measured, first)


def plan_of(row: Mapping[str, Any]) -> tuple[Plan, float]:
    """The plan of a serving row and the requests of all its replicas.

    Two habits of these tables: `tp` counts attention ranks times expert ranks where it is the square of `ep`
    (the rows exist twice with equal speeds), and with `dp` the batch is that of one replica.
    """
    tp, pp = int(row.get("tp") or 1), int(row.get("pp") or 1)
    ep, dp, batch = int(row.get("ep") or 1), int(row.get("dp") or 1), float(row["batch"])
    if dp > 1:
        # Attention is replicated: the cards of the row are its replicas.
        ranks = dp if tp in (1, dp) else tp
        return Plan(1, pp, ranks, ranks), batch * dp
    if tp > ep > 1 and tp == ep * ep:
        tp = ep
    return Plan(tp, pp, tp if ep > 1 else 1, 1), batch
