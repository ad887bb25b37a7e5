"""Screens as pictures: each is the oracle of a test and stands in the gallery."""

from typing import Any

import pytest

from tests.app.conftest import PICTURES, MakeApp, Screenshot

SETTLE_SECONDS = 0.5
"""Fit glyphs of the list come a moment after the first paint."""

GLM, QWEN, GEMMA = "zai-org/GLM-5.1", "Qwen/Qwen3-30B-A3B", "google/gemma-3-27b-it"

PICTURED: dict[str, tuple[tuple[int, int], dict[str, Any], tuple[str, ...]]] = {
    "explore-120x40": ((120, 40), {"model": GLM}, ()),
    "explore-80x24": ((80, 24), {"model": QWEN}, ("tab",)),
    "explore-60x18": ((60, 18), {"model": GEMMA}, ("tab",)),
    "explore-200x50": ((200, 50), {"model": GEMMA, "target": "rtx-4090"}, ("tab",)),
    "target-120x40": ((120, 40), {"model": QWEN, "target": "rtx-4090"}, ("tab", "right")),
    "spec-80x24": ((80, 24), {"model": GLM}, ("2",)),
    "spec-60x18": ((60, 18), {"model": GLM}, ("2", "pagedown")),
    "plot-80x24": ((80, 24), {"model": QWEN}, ("3",)),
    "page-figures-120x40": ((120, 40), {"model": GLM}, ("m", "v")),
    "difference-120x40": ((120, 40), {"model": GEMMA}, ("m", "m", "tab")),
    "filter-120x40": ((120, 40), {"model": QWEN}, ("slash", *"qwen3", "space", *"moe")),
    "edit-80x24": ((80, 24), {"model": QWEN}, ("tab", "e", "ctrl+u", *"32x", "enter")),
    "scenario-80x24": ((80, 24), {"model": QWEN}, ("n", "right", "right", "enter")),
    "keys-80x24": ((80, 24), {"model": QWEN}, ("question_mark",)),
    "colour-safe-120x40": ((120, 40), {"model": QWEN, "theme": "colour-safe"}, ("tab",)),
    "day-120x40": ((120, 40), {"model": QWEN, "theme": "day"}, ("tab",)),
    "plain-80x24": ((80, 24), {"model": QWEN, "ascii": True, "theme": "ansi-dark"}, ("tab",)),
    "too-small-50x10": ((50, 10), {"model": QWEN}, ()),
}


@pytest.mark.parametrize("name", PICTURED)
async def test_picture(name: str, make_app: MakeApp, screenshot: Screenshot) -> None:
    size, options, keys = PICTURED[name]
    app = make_app(**options)
    async with app.run_test(size=size) as pilot:
        await pilot.pause(SETTLE_SECONDS)
        for key in keys:
            await pilot.press(key)
        await pilot.pause(SETTLE_SECONDS)
        await screenshot(pilot, name)


async def test_without_colour(make_app: MakeApp, screenshot: Screenshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = make_app(QWEN)
    assert app.theme == "ansi-dark"
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("tab")
        await pilot.pause(SETTLE_SECONDS)
        await screenshot(pilot, "no-color-80x24")


def test_every_picture_of_the_home_screen_is_still_drawn() -> None:
    drawn = {*PICTURED, "no-color-80x24"}
    ours = tuple(name.rpartition("-")[0] for name in drawn)
    stale = [
        path.stem for path in PICTURES.glob("*.svg") if path.stem.rpartition("-")[0] in ours and path.stem not in drawn
    ]
    assert stale == []
