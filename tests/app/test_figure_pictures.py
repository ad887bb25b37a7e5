"""Explain, compare, plot and about as pictures, at the three sizes that count."""

from typing import Any

import pytest

from tests.app.conftest import PICTURES, MakeApp, Screenshot

SETTLE_SECONDS = 0.2
GLM, GEMMA, FLASH, OSS = "zai-org/GLM-5.1", "google/gemma-3-27b-it", "zai-org/GLM-4.7-Flash", "openai/gpt-oss-20b"
QWEN = "Qwen/Qwen3-Next-80B-A3B-Instruct"
SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x50": (200, 50)}

SCREENS: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "explain": ({"model": GEMMA, "target": "rtx-4090"}, (), ("tab", "right", "equals_sign")),
    "mends": ({"model": GEMMA, "target": "rtx-4090"}, (), ("tab", "right", "equals_sign", "tab", "down")),
    "explain-count": ({"model": GLM}, (), ("equals_sign", "right", "right")),
    "compare": ({"model": GEMMA}, (FLASH, GEMMA, OSS), ("c",)),
    "compare-flipped": ({"model": GEMMA}, (FLASH, GEMMA, OSS, QWEN), ("c", "right", "f", "d")),
    "memory-plot": ({"model": GEMMA}, (), ("p", "right", "right", "right")),
    "compare-plot": ({"model": GEMMA, "target": "rtx-4090"}, (FLASH, GEMMA, OSS), ("c", "p")),
    "about": ({"model": GLM}, (), ("O",)),
    "family": ({"model": GLM}, (), ("O", "tab")),
}
OTHERS: dict[str, tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "picker-80x24": ({"model": FLASH}, (), ("c", *"gemma", "down")),
    "compare-plain-80x24": ({"model": GEMMA, "ascii": True, "theme": "ansi-dark"}, (FLASH, GEMMA, OSS), ("c",)),
    "memory-plot-plain-80x24": ({"model": GEMMA, "ascii": True, "theme": "ansi-dark"}, (), ("p",)),
    "explain-day-120x40": ({"model": QWEN, "theme": "day"}, (), ("tab", "equals_sign")),
}
PICTURED = {f"{name}-{size}": picture for name, picture in SCREENS.items() for size in SIZES} | OTHERS


@pytest.mark.parametrize("name", PICTURED)
async def test_picture(name: str, make_app: MakeApp, screenshot: Screenshot) -> None:
    options, marks, keys = PICTURED[name]
    app = make_app(**options)
    async with app.run_test(size=SIZES[name.rpartition("-")[2]]) as pilot:
        app.look(marks=marks)
        await pilot.press(*keys)
        await pilot.pause(SETTLE_SECONDS)
        await screenshot(pilot, name)


@pytest.mark.parametrize("name", ["compare", "memory-plot"])
async def test_without_colour(
    name: str, make_app: MakeApp, screenshot: Screenshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    options, marks, keys = SCREENS[name]
    app = make_app(**options)
    async with app.run_test(size=(80, 24)) as pilot:
        app.look(marks=marks)
        await pilot.press(*keys)
        await pilot.pause(SETTLE_SECONDS)
        await screenshot(pilot, f"{name}-no-color-80x24")


def test_every_picture_of_these_screens_is_still_drawn() -> None:
    drawn = {*PICTURED, "compare-no-color-80x24", "memory-plot-no-color-80x24"}
    ours = {name.rpartition("-")[0] for name in drawn}
    kept = [path.stem for path in PICTURES.glob("*.svg") if path.stem.rpartition("-")[0] in ours]
    assert sorted(set(kept) - drawn) == []
