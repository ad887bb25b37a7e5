"""A broken model file names its line, its field and the mend."""

from pathlib import Path

import pytest

from vram_tui.catalog.faults import Fault
from vram_tui.catalog.locate import catalog_root
from vram_tui.catalog.validate import validate

GOOD = (catalog_root() / "models" / "google" / "gemma-3-27b-it.toml").read_text(encoding="utf-8")


def faults_after(folder: Path, old: str, new: str) -> list[Fault]:
    assert old in GOOD
    path = folder / "google" / "gemma.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    return validate(path)


@pytest.mark.parametrize(
    ("old", "new", "field", "mend"),
    [
        ("family =", "famly =", "famly", "did you mean family?"),
        ("heads = 32,", "haeds = 32,", "mixer.local.haeds", "did you mean heads?"),
        ('"global+mlp"', '"globall+mlp"', "stack.0.layers", "known: global, local"),
        ('kind = "gated"', 'kind = "gatted"', "feed_forward.mlp", "did you mean gated?"),
        ('kind = "gated"', 'sort = "gated"', "feed_forward.mlp", "add kind"),
        ("repeat = 10", "repeat = 0", "stack.0.repeat", "larger"),
        ("hidden_size = 5376", 'hidden_size = "5376"', "architecture.hidden_size", "without quotes"),
        ('qk_norm = "head"', 'qk_norm = "heads"', "mixer.local.qk_norm", "did you mean head?"),
        ('like = "local"', 'like = "loc"', "mixer.global.like", "known: local"),
        ("checked = 2026-11-25\n", "", "checked", "add checked"),
        ("[gguf]\n", "[gguf]\nvocabsize = 3\n", "gguf.vocabsize", "did you mean vocab_size?"),
        ('norms = "sandwich"', 'norms = "sandwhich"', "architecture.norms", "did you mean sandwich?"),
        ("hidden_size = 5376", "hidden_size = 5632", "parameters.published", "correct the blocks"),
        ("[gguf]\n", "[gguf\n", "", "mend the TOML"),
    ],
)
def test_a_fault_says_where_and_how_to_mend_it(tmp_path: Path, old: str, new: str, field: str, mend: str) -> None:
    found = faults_after(tmp_path, old, new)
    match = [fault for fault in found if fault.field == field]
    assert match, [str(fault) for fault in found]
    assert mend in match[0].mend
    if new:
        written = GOOD.replace(old, new, 1).splitlines()
        line = match[0].line
        assert line is not None
        wanted = (
            "published" if field == "parameters.published" else new.strip().splitlines()[-1].partition("=")[0].strip()
        )
        assert any(word in written[line - 1] for word in (wanted, field.rpartition(".")[2]))


def test_control_characters_of_a_file_never_reach_the_message(tmp_path: Path) -> None:
    found = faults_after(tmp_path, "family =", '"\\u001b[2Jfamily" =')
    assert found
    assert all("\x1b" not in str(fault) for fault in found)


def test_a_path_that_is_nothing_is_a_fault(tmp_path: Path) -> None:
    assert "neither" in validate(tmp_path / "absent")[0].message
    assert "holds no" in validate(tmp_path)[0].message


def test_ids_that_differ_only_by_case_collide(tmp_path: Path) -> None:
    for name in ("Gemma", "gemma"):
        path = tmp_path / "google" / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(GOOD, encoding="utf-8")
    if len(list((tmp_path / "google").iterdir())) == 2:
        assert any("same id" in fault.message for fault in validate(tmp_path))
