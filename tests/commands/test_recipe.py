"""`vram-tui recipe`: commands for what fits, the reason and what would fit for what does not."""

import json
import shlex

import pytest

from vram_tui.cli import main

CELL = ("recipe", "Qwen/Qwen3-32B", "--quant", "Q4_K_M")


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def test_a_cell_that_fits_is_commands_of_a_shell(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *CELL, "--ctx", "8K", "--on", "rtx-4090")
    assert (code, err) == (0, "")
    words = shlex.split(out, comments=True)
    assert words[0] == "llama-server"
    assert words[words.index("--ctx-size") + 1] == "8192"


def test_what_does_not_fit_says_why_and_what_would(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *CELL, "--ctx", "32K", "--on", "rtx-4090")
    first, *others = out.splitlines()
    assert code == 1
    assert "GiB can be used" in first
    assert others
    assert all(line.startswith("would fit: ") for line in others)
    assert "llama-server" not in out


def test_what_is_said_to_fit_instead_does(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, *CELL, "--ctx", "32K", "--on", "rtx-4090", "--json")
    answer = json.loads(out)
    assert answer["fits"] is False
    assert answer["steps"] == []
    assert {near["words"] for near in answer["nearest"]}
    for near in answer["nearest"]:
        words = ["--quant", near["quant"], "--ctx", str(near["ctx"]), "--kv", near["kv"], "--on", "rtx-4090"]
        words += ["--ngl", near["ngl"]] if near["ngl"] else []
        if near["on"] == answer["on"]:
            assert run(capsys, "recipe", answer["model"], *words)[0] == 0, near


def test_a_server_gets_the_plan_that_holds_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    machine = ("--ctx", "32K", "--on", "16x h100", "--runtime", "vllm", "--json")
    code, out, _ = run(capsys, "recipe", "deepseek-ai/DeepSeek-V3.2", "--quant", "FP8", *machine)
    answer = json.loads(out)
    assert code == 0
    assert answer["plan"]
    assert answer["used_bytes"] <= answer["usable_bytes"]
    assert len(answer["steps"]) == 3, "Ray on the first node, on the other, and the server"


def test_a_format_that_the_engine_never_loads_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *CELL, "--ctx", "8K", "--on", "h100", "--runtime", "vllm")
    assert (code, out) == (2, "")
    assert "vllm does not load Q4_K_M" in err
    assert err.count("\n") == 1


def test_llama_cpp_may_leave_a_part_in_ram(capsys: pytest.CaptureFixture[str]) -> None:
    cell = (*CELL, "--ctx", "32K", "--on", "rtx-4090")
    assert "would fit: a part of the weights in RAM" in run(capsys, *cell)[1]
    code, out, _ = run(capsys, *cell, "--ngl", "auto")
    words = shlex.split(out, comments=True)
    assert code == 0
    assert words[words.index("--n-gpu-layers") + 1] == "auto"
    assert "--fit" not in words, "llama.cpp itself decides what stays in RAM"
    assert "of the weights stay in RAM" in out


def test_llama_cpp_spreads_layers_over_equal_cards(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *CELL, "--ctx", "32K", "--on", "2x rtx-4090")
    words = shlex.split(out, comments=True)
    assert code == 0
    assert words[words.index("--split-mode") + 1] == "layer"


def test_an_engine_does_not_run_on_devices_of_another_kind(capsys: pytest.CaptureFixture[str]) -> None:
    machine = ("--quant", "MLX-4bit", "--ctx", "8K", "--on", "h100", "--runtime", "mlx")
    code, out, _ = run(capsys, "recipe", "Qwen/Qwen3-32B", *machine)
    assert code == 1
    assert "mlx does not run on such devices" in out


def test_the_processor_alone_offloads_no_layer(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *CELL, "--ctx", "8K", "--on", "cpu")
    words = shlex.split(out, comments=True)
    assert code == 0
    assert words[words.index("--n-gpu-layers") + 1] == "0"


@pytest.mark.parametrize("words", [("--on", "no-such-card"), ("--on", "4090", "--gpus", "h100"), ("--ctx", "x")])
def test_bad_input_is_one_line(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *CELL, *words)
    assert (code, out) == (2, "")
    assert err.startswith("vram-tui: ")
    assert err.count("\n") == 1
