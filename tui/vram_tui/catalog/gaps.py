"""What a sound entry still leaves open: facts without which some figure is missing or weaker."""

from collections.abc import Iterator

from vram_tui.catalog.entries import UNKNOWN, Entry
from vram_tui.catalog.hardware import Accelerator
from vram_tui.estimator.profile import profile


def model_gaps(entry: Entry) -> Iterator[str]:
    """A sentence for each fact that is missing: what it is, and what is lost without it."""
    if not entry.context_native:
        yield "context.native: the grid has no last column, and no length is called too long"
    if not entry.parameters_published:
        yield "parameters.published: nothing checks the blocks; take the total of the safetensors index"
    elif not entry.parameters_counts:
        yield "parameters.counts: says what the published total adds up; without it nothing checks the blocks"
    if entry.parameters_published and not entry.parameters_source:
        yield "parameters.source: where the total is stated"
    if profile(entry.model).experts > 1 and not entry.active_advertised:
        yield "parameters.active_advertised: the list shows the count of the blocks instead"
    if not entry.model_type:
        yield "architecture.model_type: nothing says how its configuration file is read"
    if not entry.model.gguf.architecture:
        yield "gguf.architecture: exceptions of llama.cpp for one architecture are not applied"
    if entry.released is None:
        yield "released: the model sorts last by release"
    if entry.license == UNKNOWN:
        yield "license: no filter by licence finds it"
    if not entry.native_dtype:
        yield "architecture.native_dtype: the format in which the weights were published is not shown"
    if any(not tower.parameters for tower in entry.model.towers):
        yield "towers.parameters: 0 means that nobody says; the projector is left out of RAM and of the device"
    if entry.partial:
        yield f"evidence: partial; no source states {', '.join(entry.partial_fields)}"


def accelerator_gaps(accelerator: Accelerator) -> Iterator[str]:
    """The same for an accelerator."""
    device = accelerator.device
    if device.usable_basis != "measured":
        yield f"memory.usable_mib: what a process reaches is {device.usable_basis}; run vram-tui detect on one"
    if accelerator.memory_basis != "reported":
        yield f"memory.driver_mib: the total is {accelerator.memory_basis}, not what a driver reported"
    if not device.bandwidth_gbs:
        yield "bandwidth_gbs: no speed can be estimated"
    if not device.fp16_tflops:
        yield "tflops.fp16: no prompt speed can be estimated"
    if not device.tdp_w:
        yield "tdp_w: it is left out where people sort by power"
    if device.price_usd is None:
        yield "price: it sorts last by price"
    if not accelerator.driver_names and not accelerator.pci_ids and device.kind not in ("apple", "tpu"):
        yield "driver_names, pci_ids: vram-tui detect does not recognise it"
    if not accelerator.released:
        yield "released: not stated"
    if accelerator.confidence == "low":
        yield "confidence: low"
