"""The pure estimator: what a model needs, from its blocks; standard library only.

A model is a stack of layers, each a mixer and a feed-forward. Compile it with a format and a scenario, and ask for
any context:

>>> from vram_tui import catalog, estimator
>>> layer = estimator.Layer(estimator.Attention(heads=16, kv_heads=4, head_dim=128), estimator.Gated(size=5632))
>>> model = estimator.Model(hidden_size=2048, vocab_size=32_000, stack=(estimator.Stack((layer,), repeat=22),))
>>> facts = catalog.load_catalog(user=False).facts
>>> subject = estimator.FoldedSubject("mine", model, facts)
>>> memory = estimator.compile(subject, "Q4_K_M", estimator.Scenario(), facts)
>>> memory.group_bytes(32_768, "kv") == 22 * 32_768 * 4 * (128 + 128) * 2
True
>>> memory.at(32_768) > memory.at(8_192)
True

All names below are public: they change only with the major version. Everything else may change at any time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vram_tui.estimator.blocks import (
        Attention,
        Compressed,
        DeltaNet,
        Experts,
        Gated,
        Kda,
        Lightning,
        Linear,
        Mamba,
        Mamba2,
        Mla,
        Parallel,
        Plain,
        ShortConv,
    )
    from vram_tui.estimator.compiling import compile  # noqa: A004 - the field's word
    from vram_tui.estimator.devices import Device, Interconnect, Machine
    from vram_tui.estimator.estimate import Estimate
    from vram_tui.estimator.estimate import estimate as cell
    from vram_tui.estimator.facts import Facts
    from vram_tui.estimator.memory import Memory, Term, Weights
    from vram_tui.estimator.model import Layer, Model, Mtp, Stack, Tower
    from vram_tui.estimator.refusals import Refusal
    from vram_tui.estimator.scenario import Scenario
    from vram_tui.estimator.speed import Speed, speed_of
    from vram_tui.estimator.subject import FoldedSubject, Subject
    from vram_tui.estimator.units import GB, GIB, MIB

_PLACES = {
    "blocks": (
        *("Attention", "Compressed", "DeltaNet", "Experts", "Gated", "Kda", "Lightning", "Linear", "Mamba", "Mamba2"),
        *("Mla", "Parallel", "Plain", "ShortConv"),
    ),
    "compiling": ("compile",),
    "devices": ("Device", "Interconnect", "Machine"),
    "estimate": ("Estimate", "cell"),
    "facts": ("Facts",),
    "memory": ("Memory", "Term", "Weights"),
    "model": ("Layer", "Model", "Mtp", "Stack", "Tower"),
    "refusals": ("Refusal",),
    "scenario": ("Scenario",),
    "speed": ("Speed", "speed_of"),
    "subject": ("FoldedSubject", "Subject"),
    "units": ("GB", "GIB", "MIB"),
}
"""Module → the names that are public; each is imported when it is first asked for."""
_MODULES = {name: module for module, names in _PLACES.items() for name in names}
_OTHERWISE = {"cell": "estimate"}
"""Names that their module calls otherwise: a module of the same name stands in the way."""

__all__ = [
    "Attention",
    "Compressed",
    "DeltaNet",
    "Device",
    "Estimate",
    "Experts",
    "Facts",
    "FoldedSubject",
    "GB",
    "GIB",
    "Gated",
    "Interconnect",
    "Kda",
    "Layer",
    "Lightning",
    "Linear",
    "MIB",
    "Machine",
    "Mamba",
    "Mamba2",
    "Memory",
    "Mla",
    "Model",
    "Mtp",
    "Parallel",
    "Plain",
    "Refusal",
    "Scenario",
    "ShortConv",
    "Speed",
    "Stack",
    "Subject",
    "Term",
    "Tower",
    "Weights",
    "cell",
    "compile",
    "speed_of",
]


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{module}"), _OTHERWISE.get(name, name))
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
