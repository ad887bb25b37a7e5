"""Pages that are read from the code are current and whole, and what they show works."""

from pathlib import Path

from scripts import command_page, configuration_page, generate, keys_page
from scripts.writing import filled

from vram_tui.app.actions import ALL
from vram_tui.app.key_map import key_map
from vram_tui.cli import COMMANDS
from vram_tui.commands.options import OPTIONS
from vram_tui.session.settings import KINDS, load_settings


def test_every_generated_page_is_current() -> None:
    assert not generate.stale(), "run python -m scripts.generate"


def test_a_stale_page_is_named(tmp_path: Path) -> None:
    assert set(generate.stale(tmp_path)) == {*generate.FILES, *generate.BLOCKS}


def test_a_block_is_replaced_and_the_rest_stays() -> None:
    page = "above\n<!-- speeds:begin -->\nold\n<!-- speeds:end -->\nbelow"
    assert filled(page, "speeds", "new\n") == page.replace("old", "new")
    assert filled(page, "other", "new") == page


def test_every_block_stands_in_its_page() -> None:
    for name, blocks in generate.BLOCKS.items():
        page = (generate.ROOT / name).read_text(encoding="utf-8")
        assert all(f"<!-- {block}:{side} -->" in page for block, _ in blocks for side in ("begin", "end"))


def test_the_key_page_lists_every_action() -> None:
    page = keys_page.page()
    assert all(f"| `{action.id}` |" in page and action.title in page for action in ALL)


def test_the_command_page_lists_every_command_and_option() -> None:
    page = command_page.page()
    assert all(f"## {name}\n" in page for name in COMMANDS)
    assert all(f"`--{option.name}" in page for option in OPTIONS)
    assert "`--on HARDWARE`" in page


def test_the_configuration_page_shows_a_file_that_works(tmp_path: Path) -> None:
    page = configuration_page.page()
    assert all(f"| `{name}` |" in page for name in KINDS)
    path = tmp_path / "config.toml"
    path.write_text(page.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    settings, faults = load_settings(path)
    assert faults == ()
    assert settings.theme == "colour-safe"
    keys, clashes = key_map(settings.keys)
    assert clashes == ()
    assert keys.actions["k"] == "up"
    assert keys.actions["W"] == "what-fits"
