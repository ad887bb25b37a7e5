"""`vram-tui hardware` and `vram-tui fits`: the dashboard's rankings for scripts."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from vram_tui.cli import main
from vram_tui.hardware import detect as detecting
from vram_tui.hardware.detect import Detection, Note
from vram_tui.hardware.readings import Host

MODEL = "Qwen/Qwen3-30B-A3B"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def answer(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    got, out, err = run(capsys, *words, "--json")
    assert (got, err) == (code, "")
    found: dict[str, Any] = json.loads(out)
    return found


def rows(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    listed = found[name]
    return list(listed)


# hardware


def test_hardware_is_ranked_by_price_in_whole_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "hardware", MODEL, "--quant", "Q4_K_M", "--ctx", "32K", "--limit", "0")
    listed = rows(found, "hardware")
    assert len(listed) == found["fitting"]
    assert all(row["fits"] for row in listed)
    for row in listed:
        for field in ("used_bytes", "usable_bytes", "largest_ctx"):
            assert isinstance(row[field], int), field
        assert row["used_bytes"] <= row["usable_bytes"]
    prices = [row["price_usd"] for row in listed if row["price_usd"] is not None]
    assert prices == sorted(prices)
    assert {"consumer", "instance", "node", "apple"} <= {row["kind"] for row in listed}


def test_the_ranking_agrees_with_an_estimate_of_the_same_cell(capsys: pytest.CaptureFixture[str]) -> None:
    cell = (MODEL, "--quant", "Q4_K_M", "--ctx", "32K")
    found = answer(capsys, "hardware", *cell, "--kind", "consumer", "--vendor", "nvidia", "--limit", "0")
    for row in rows(found, "hardware"):
        if row["devices"] == 1:
            estimate = answer(capsys, "estimate", *cell, "--gpus", str(row["hardware"]))
            assert estimate["total_bytes"] == row["used_bytes"], row["hardware"]
            assert estimate["fits"] is True
            break
    else:
        raise AssertionError("no single card holds it")


def test_kind_vendor_sort_and_limit(capsys: pytest.CaptureFixture[str]) -> None:
    words = (
        "hardware",
        MODEL,
        "--ctx",
        "8K",
        "--kind",
        "consumer",
        "--vendor",
        "amd",
        "--sort",
        "speed",
        "--limit",
        "3",
    )
    listed = rows(answer(capsys, *words), "hardware")
    assert len(listed) == 3
    assert {(row["kind"], row["vendor"]) for row in listed} == {("consumer", "AMD")}
    rates = [row["speed"]["decode_tok_s"] for row in listed]
    assert rates == sorted(rates, reverse=True)


def test_a_machine_that_is_named_is_ranked_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "hardware", MODEL, "--ctx", "8K", "--gpus", "2x rtx-3090")
    assert [row["hardware"] for row in rows(found, "hardware")] == ["2x rtx-3090"]


def test_what_nothing_holds_is_an_answer_with_exit_code_one(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "hardware", "zai-org/GLM-5.1", "--ctx", "8K", "--kind", "consumer", "--limit", "2", code=1)
    assert found["fitting"] == 0
    assert all(row["reason"] for row in rows(found, "hardware"))


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("hardware", MODEL, "--sort", "beauty"), 2, "price"),
        (("hardware", MODEL, "--quant", "Q99"), 2, "quants"),
        (("hardware", MODEL, "--quant", "FP8"), 2, "does not load"),
        (("hardware", MODEL, "--kind", "toaster"), 3, "no hardware"),
        (("hardware", MODEL, "--limit", "-1"), 2, "--limit"),
        (("hardware", MODEL, "--gpus", "cpu"), 2, "no device"),
        (("hardware", MODEL, "--gpus", "rtx-9999"), 2, "rtx-9999"),
        (("hardware", "no-such-model"), 3, "no-such-model"),
        (("fits", "rtx-9999"), 2, "rtx-9999"),
        (("fits", "rtx-4090", "--gpus", "rtx-3090"), 2, "two machines"),
        (("fits", "rtx-4090", "--sort", "beauty"), 2, "parameters"),
        (("fits", "rtx-4090", "--quant", "Q99"), 2, "Q99"),
        (("fits", "rtx-4090", "--vendor", "nobody at all"), 3, "no models"),
    ],
)
def test_bad_questions_get_one_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, says: str
) -> None:
    got, out, err = run(capsys, *words)
    assert (got, out) == (code, "")
    assert says in err
    assert err.count("\n") == 1


# fits


def test_fits_lists_what_a_named_machine_runs(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "fits", "2x", "rtx", "3090", "--ctx", "32K", "--limit", "0")
    listed = rows(found, "models")
    assert found["hardware"] == "2x GeForce RTX 3090"
    assert len(listed) == found["fitting"]
    assert {row["model"] for row in listed} >= {MODEL, "google/gemma-3-27b-it"}
    assert "zai-org/GLM-5.1" not in {row["model"] for row in listed}
    for row in listed:
        assert row["headroom_bytes"] == row["usable_bytes"] - row["used_bytes"]
        assert row["headroom_bytes"] >= 0
        assert row["largest_ctx"] >= min(row["ctx"], 32768) // 256 * 256


def test_a_single_card_agrees_with_an_estimate(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "fits", "rtx-4090", "--ctx", "16K", "--filter", "qwen3", "--limit", "3")
    for row in rows(found, "models"):
        words = (str(row["model"]), "--quant", str(row["quant"]), "--ctx", str(row["ctx"]), "--gpus", "rtx-4090")
        estimate = answer(capsys, "estimate", *words)
        assert estimate["total_bytes"] == row["used_bytes"]
        assert estimate["largest_ctx"] == row["largest_ctx"]


def test_one_format_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "fits", "rtx-4090", "--quant", "Q8_0", "--filter", "qwen", "--limit", "0")
    assert {row["quant"] for row in rows(found, "models")} == {"Q8_0"}


def test_nothing_fits_is_exit_code_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(capsys, "fits", "64MiB", "--filter", "llama", code=1)["fitting"] == 0


def test_without_hardware_the_machine_at_hand_is_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from vram_tui.catalog.hardware_text import parse_hardware

    def found(catalogue: object) -> Detection:
        machine = parse_hardware("rtx-4060-laptop-8gb", catalogue, host_ram_bytes=32 << 30)  # type: ignore[arg-type]
        return Detection(machine, (), Host("CPU", 32 << 30, 20 << 30), (Note("Intel", "nothing to read"),))

    monkeypatch.setattr(detecting, "detect", found)
    answered = answer(capsys, "fits", "--ctx", "32K", "--filter", "qwen3-30b-a3b", "--limit", "0")
    assert answered["hardware"] == "GeForce RTX 4060 Laptop"
    assert answered["notes"] == ["Intel: nothing to read"]
    row = next(row for row in rows(answered, "models") if row["model"] == MODEL)
    assert row["fit"] == "offload"
    assert row["offload"]["experts"] > 0
    assert row["ram_bytes"] > 0


@pytest.mark.parametrize("words", [("hardware", MODEL, "--ctx", "8K"), ("fits", "rtx-4090", "--filter", "gemma")])
def test_tables_leave_as_markdown_and_csv(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    _, markdown, _ = run(capsys, *words, "--markdown", "--limit", "2")
    assert sum(line.startswith("|") for line in markdown.splitlines()) == 4
    _, text, _ = run(capsys, *words, "--csv", "--limit", "2")
    table = list(csv.reader(io.StringIO(text)))
    assert len(table) == 3
    assert all(len(row) == len(table[0]) for row in table)
    _, plain, _ = run(capsys, *words, "--limit", "2")
    assert "shown" in plain
    assert "\x1b" not in plain


def test_a_catalogue_of_one_s_own_is_no_obstacle(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, "fits", "rtx-4090", "--catalog", str(tmp_path))
    assert (code, out) == (2, "")
    assert "catalogue" in err
