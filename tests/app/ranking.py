"""A machine at hand for the tests of rankings, and waiting until a ranking stands."""

from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from vram_tui.app.screens.ranked import RankedScreen
from vram_tui.catalog.hardware import HardwareCatalogue
from vram_tui.catalog.hardware_text import parse_hardware
from vram_tui.estimator.units import GIB
from vram_tui.hardware.detect import Detection, Note
from vram_tui.hardware.readings import Host
from vram_tui.session.answers import Answers
from vram_tui.session.local import LocalMachine

NOTE = Note("NVML", "no NVIDIA driver library")


def laptop(catalogue: HardwareCatalogue) -> Detection:
    """A laptop with a small card of which 5 GiB are free, 32 GiB of RAM, and a reader that found nothing."""
    machine = parse_hardware("rtx-4060-laptop-8gb", catalogue, host_ram_bytes=32 * GIB)
    machine = replace(machine, source="detected", free_bytes=(5 * GIB,), host_free_bytes=20 * GIB)
    return Detection(machine, (), Host("Ryzen 7", 32 * GIB, 20 * GIB), (NOTE,))


def bare(catalogue: HardwareCatalogue) -> Detection:
    """A machine without a GPU."""
    machine = parse_hardware("cpu", catalogue, host_ram_bytes=16 * GIB)
    return Detection(replace(machine, name="Ryzen 7"), (), Host("Ryzen 7", 16 * GIB, 9 * GIB), (NOTE,))


@pytest.fixture
def at_hand(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> LocalMachine:
    """The laptop as the machine at hand."""
    local = LocalMachine(laptop)
    monkeypatch.setattr(answers, "local", local)
    return local


async def ranked(pilot: Pilot[Any]) -> RankedScreen:
    """The ranking on top, once it stands."""
    await pilot.pause()
    await pilot.app.workers.wait_for_complete()
    for _ in range(400):
        await pilot.pause(0.01)
        screen = pilot.app.screen
        if isinstance(screen, RankedScreen) and not screen.working and screen.ranking.count:
            return screen
    raise AssertionError("no ranking came to stand")
