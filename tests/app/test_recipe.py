"""Launch recipes in the dashboard: from a cell, for every engine, copied with one key."""

import shlex

import pytest

from tests.app.conftest import MakeApp, Screenshot
from tests.app.sharing import Terminal, settle, shown, terminal, told, type_text
from vram_tui.app.app import VramApp
from vram_tui.app.screens.explore import Explore
from vram_tui.app.screens.recipe import RecipeScreen
from vram_tui.exporters.recipes import ENGINES

__all__ = ["terminal"]
MODEL = "Qwen/Qwen3-32B"


def recipe_of(app: VramApp) -> RecipeScreen:
    screen = app.screen
    assert isinstance(screen, RecipeScreen)
    return screen


@pytest.mark.parametrize("key", ["y", "enter"])
async def test_one_key_copies_the_whole_recipe_of_the_cell(make_app: MakeApp, terminal: Terminal, key: str) -> None:
    app = make_app(MODEL, target="rtx-5090")
    async with app.run_test(size=(80, 24)) as pilot:
        terminal.watch(app)
        await pilot.press("tab", "r")
        await settle(pilot)
        assert "fits on" in shown(app)
        await pilot.press(key)
        words = shlex.split(terminal.clipboard, comments=True)
        assert words[0] == "llama-server"
        assert words[words.index("--ctx-size") + 1] == "32768"
        assert told(app).startswith("copied the recipe for llama.cpp, ")
        await pilot.press("escape")
        assert isinstance(app.screen, Explore)


async def test_every_engine_is_one_arrow_away(make_app: MakeApp) -> None:
    app = make_app(MODEL, target="8xh200")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("tab", "r")
        seen = []
        for _ in ENGINES:
            await settle(pilot)
            seen.append(recipe_of(app).engines.engine)
            assert f"[{seen[-1]}]" in recipe_of(app).engines.text
            text, _ = recipe_of(app).copy_text()
            assert text or "mlx does not run on such devices" in shown(app), seen[-1]
            await pilot.press("right")
        assert seen == list(ENGINES)
        assert recipe_of(app).engines.engine == ENGINES[0]


async def test_a_format_the_engine_does_not_load_is_said_and_replaced(make_app: MakeApp) -> None:
    app = make_app(MODEL, target="8xh200")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", "r", *["right"] * ENGINES.index("vllm"))
        assert "vllm does not load Q4_K_M: this is for" in shown(app)
        text, _ = recipe_of(app).copy_text()
        assert "--tensor-parallel-size 8" in " ".join(text.split())


async def test_what_does_not_fit_offers_what_would(make_app: MakeApp) -> None:
    app = make_app(MODEL, target="rtx-4090")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("tab", "r")
        await settle(pilot)
        assert "does not fit on" in shown(app)
        assert "would fit: Q4_K_M at " in shown(app)
        await pilot.press("enter")
        await settle(pilot)
        assert "fits on GeForce RTX 4090" in shown(app)
        assert "does not" not in shown(app)
        assert app.session.grid.contexts[app.session.column] == 32768, "the grid stays as it is"


async def test_the_target_is_set_from_the_recipe_too(make_app: MakeApp) -> None:
    app = make_app(MODEL)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("tab", "r")
        assert "t names a machine" in shown(app)
        await pilot.press("t")
        await type_text(pilot, "2x h100")
        await pilot.press("enter")
        await settle(pilot)
        assert "fits on 2x H100" in shown(app)


@pytest.mark.parametrize("size", [(60, 18), (80, 24)])
async def test_nothing_of_a_command_is_lost_when_it_is_folded(make_app: MakeApp, size: tuple[int, int]) -> None:
    app = make_app("zai-org/GLM-5.1", target="16x h100")
    async with app.run_test(size=size) as pilot:
        await pilot.press("tab", "r", *["right"] * ENGINES.index("tensorrt-llm"))
        await settle(pilot)
        sheet = recipe_of(app).sheet
        lines, _ = sheet.content(sheet.size.width)
        drawn = "".join("".join(run.text for run in line) for line in lines)
        recipe = sheet.shown and sheet.shown.launch.recipe
        assert recipe
        for step in recipe.steps:
            assert "".join(step.command.split()) in "".join(drawn.split())


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
async def test_pictures(make_app: MakeApp, screenshot: Screenshot, width: int, height: int) -> None:
    app = make_app("zai-org/GLM-5.1", target="16x h100")
    async with app.run_test(size=(width, height)) as pilot:
        await pilot.press("tab", "r", *["right"] * ENGINES.index("vllm"))
        await settle(pilot)
        await screenshot(pilot, f"recipe-{width}x{height}")


async def test_picture_of_what_does_not_fit(make_app: MakeApp, screenshot: Screenshot) -> None:
    app = make_app(MODEL, target="rtx-4090")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("tab", "r")
        await settle(pilot)
        await screenshot(pilot, "recipe-too-much-80x24")
