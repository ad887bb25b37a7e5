"""The configuration file: what it says is taken, what is wrong is told with its mend."""

from pathlib import Path

from vram_tui.session.settings import Settings, load_settings


def test_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        'theme = "day"\nascii = true\nunits = "gb"\ngpus = "2x rtx-3090"\n[keys]\nquit = "Q"\nmark = ["space", "k"]\n'
    )
    settings, faults = load_settings(path)
    assert faults == ()
    assert settings == Settings("day", True, True, "gb", "2x rtx-3090", {"quit": ("Q",), "mark": ("space", "k")})


def test_faults_name_the_file_the_field_and_the_mend(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('them = "day"\nmouse = "no"\nunits = "mb"\n[keys]\nquit = 3\n')
    settings, faults = load_settings(path)
    assert settings == Settings()
    assert all(fault.startswith(str(path)) for fault in faults)
    words = "\n".join(faults)
    assert "did you mean theme?" in words
    assert "mouse is true or false" in words
    assert "units is gib or gb" in words
    assert "keys.quit" in words


def test_no_file_is_no_fault_and_a_broken_one_says_where(tmp_path: Path) -> None:
    assert load_settings(tmp_path / "none.toml") == (Settings(), ())
    path = tmp_path / "config.toml"
    path.write_text("theme = = 3")
    assert "line 1" in load_settings(path)[1][0]
