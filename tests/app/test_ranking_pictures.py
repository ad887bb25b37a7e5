"""Rankings and plans as pictures, at the sizes that count."""

from typing import Any

import pytest

from tests.app.conftest import PICTURES, MakeApp, Screenshot
from tests.app.ranking import at_hand, bare, ranked
from vram_tui.session.answers import Answers
from vram_tui.session.local import LocalMachine

__all__ = ["at_hand"]

GEMMA, GLM = "google/gemma-3-27b-it", "zai-org/GLM-5.1"
SIZES = {"60x18": (60, 18), "80x24": (80, 24), "120x40": (120, 40), "200x50": (200, 50)}

SCREENS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "hardware": ({"model": GLM}, ("g", "right")),
    "what-fits": ({"model": GEMMA}, ("w",)),
}
OTHERS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "hardware-filter-80x24": ({"model": GEMMA}, ("g", "slash", *"amd", "space", *"consumer", "down")),
    "hardware-target-120x40": ({"model": GEMMA, "target": "rtx-4090-24gb"}, ("g", "s")),
    "what-fits-target-80x24": ({"model": GEMMA, "target": "2x rtx-3090"}, ("w",)),
    "what-fits-target-120x40": ({"model": GEMMA, "target": "2x rtx-3090"}, ("w",)),
    "what-fits-plain-80x24": ({"model": GEMMA, "ascii": True, "theme": "ansi-dark"}, ("w",)),
    "what-fits-day-80x24": ({"model": GEMMA, "theme": "day"}, ("w",)),
}
PLANS: dict[str, tuple[str, tuple[str, ...]]] = {
    "plan-80x24": (GEMMA, ("g", "slash", *"rtx", "space", *"3060", "space", *"12gb", "enter")),
    "plan-120x40": (GLM, ("g", "right", "slash", *"h200", "space", *"node", "enter")),
}
PICTURED = {
    f"{name}-{size}": picture
    for name, picture in SCREENS.items()
    for size in SIZES
} | OTHERS  # fmt: skip


@pytest.mark.parametrize("name", PICTURED)
async def test_picture(name: str, make_app: MakeApp, at_hand: LocalMachine, screenshot: Screenshot) -> None:
    options, keys = PICTURED[name]
    app = make_app(**options)
    async with app.run_test(size=SIZES[name.rpartition("-")[2]]) as pilot:
        await pilot.press(keys[0])
        await ranked(pilot)
        await pilot.press(*keys[1:])
        await ranked(pilot)
        await screenshot(pilot, name)


@pytest.mark.parametrize("name", PLANS)
async def test_plan(name: str, make_app: MakeApp, screenshot: Screenshot) -> None:
    model, keys = PLANS[name]
    app = make_app(model)
    async with app.run_test(size=SIZES[name.rpartition("-")[2]]) as pilot:
        await pilot.press(*keys)
        await ranked(pilot)
        await pilot.press("enter")
        await screenshot(pilot, name)


async def test_without_a_gpu(
    make_app: MakeApp, answers: Answers, screenshot: Screenshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "local", LocalMachine(bare))
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("w")
        await ranked(pilot)
        await screenshot(pilot, "what-fits-ram-80x24")


async def test_without_colour(make_app: MakeApp, screenshot: Screenshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app(GEMMA)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("g")
        await ranked(pilot)
        await screenshot(pilot, "hardware-no-color-80x24")


def test_every_picture_of_these_screens_is_still_drawn() -> None:
    drawn = {*PICTURED, *PLANS, "what-fits-ram-80x24", "hardware-no-color-80x24"}
    ours = {name.rpartition("-")[0] for name in drawn}
    kept = [path.stem for path in PICTURES.glob("*.svg") if path.stem.rpartition("-")[0] in ours]
    assert sorted(set(kept) - drawn) == []
