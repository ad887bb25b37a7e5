"""`vram-tui estimate` answers as its contract says: figures, JSON fields, exit codes, batches."""

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from vram_tui.cli import main
from vram_tui.commands.batch import SHARED_FROM_LINES, answers
from vram_tui.commands.workspace import Workspace

PAGE = ("estimate", "glm-5.1", "--profile", "published", "--method", "bytes-per-weight")


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    code = main([*arguments, "--json"])
    shown = capsys.readouterr()
    return code, json.loads(shown.out) if shown.out else None, shown.err


@pytest.mark.parametrize(
    ("quant", "ctx", "gib"),
    [
        ("Q4_K_M", "1K", 390.0),
        ("Q4_K_M", "128K", 429.7),
        ("Q8_0", "1K", 779.8),
        ("Q8_0", "128K", 819.5),
        ("F16", "1K", 1559.2),
        ("F16", "128K", 1598.9),
    ],
)
def test_the_pages_six_figures(capsys: pytest.CaptureFixture[str], quant: str, ctx: str, gib: float) -> None:
    code, answer, _ = ask(capsys, *PAGE, "--quant", quant, "--ctx", ctx)
    assert code == 0
    assert round(answer["total_gib"], 1) == gib
    assert answer["tier"] == "cluster"


def test_every_field_of_the_contract_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, answer, _ = ask(capsys, "estimate", "zai-org/GLM-5.1", "--quant", "Q4_K_M", "--ctx", "131072")
    assert code == 0
    assert set(answer) == {
        *(
            "model",
            "quant",
            "ctx",
            "runtime",
            "method",
            "weights",
            "kv_bytes",
            "state_bytes",
            "ctx_per_seq",
            "n_ctx_real",
        ),
        *(
            "kv_parts",
            "compute_bytes",
            "compute_host_bytes",
            "output_bytes",
            "runtime_bytes",
            "total_bytes",
            "total_gib",
        ),
        *("error_band", "devices", "tier", "fits", "largest_ctx", "speed", "terms", "warnings"),
    }
    assert set(answer["weights"]) == {"file_bytes", "device_bytes", "host_bytes", "bits_per_weight", "parameters"}
    assert set(answer["terms"][0]) >= {"name", "bytes", "formula", "with", "basis", "source"}
    assert sum(term["bytes"] for term in answer["terms"]) == answer["total_bytes"]
    assert {part["kind"] for part in answer["kv_parts"]} == {"mla", "indexer"}
    assert answer["kv_bytes"] == sum(part["bytes"] for part in answer["kv_parts"]) == 78 * (576 + 128) * 2 * 131072
    assert answer["fits"] is None
    assert answer["largest_ctx"] is None


def test_a_machine_makes_it_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    cell = ("estimate", "Qwen/Qwen3-30B-A3B", "--quant", "Q4_K_M", "--ctx", "32K", "--gpus")
    code, answer, _ = ask(capsys, *cell, "4090")
    assert (code, answer["fits"]) == (0, True)
    assert answer["devices"][0]["used_bytes"] == answer["total_bytes"] <= answer["devices"][0]["usable_bytes"]
    assert answer["largest_ctx"] >= 32768
    code, answer, _ = ask(capsys, *cell, "12GiB")
    assert (code, answer["fits"]) == (1, False)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("estimate", "no-such-model"), 3, "no model"),
        (("estimate", "qwen3"), 2, "may be"),
        (("estimate", "glm-5.1", "--ctx", "lots"), 2, "32K"),
        (("estimate", "glm-5.1", "--quant", "Q4_X"), 2, "quants"),
        (("estimate", "glm-5.1", "--gpus", "4o9o"), 2, "hardware"),
        (("estimate", "glm-5.1", "--seqs", "0"), 2, "--seqs"),
        (("estimate", "glm-5.1", "--kv", "q8_0:f16"), 2, "type"),
        (("estimate", "glm-5.1", "--nonsense"), 2, "--nonsense"),
        (("estimate",), 2, "MODEL"),
        (("models", "zzzz-nothing"), 3, "no models"),
        (("validate", "/nonexistent/place"), 2, "no such"),
    ],
)
def test_bad_questions_get_one_line_and_a_code(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, words: str
) -> None:
    assert main(arguments) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert words in shown.err


def test_a_batch_goes_on_after_a_bad_line() -> None:
    lines = [
        {"id": 1, "model": "Qwen/Qwen3-8B", "quant": "Q4_K_M", "ctx": "8K"},
        {"id": "b", "model": "Qwen/Qwen3-8B", "ctx": "soon"},
        {"id": None, "model": "nowhere"},
        {"id": 4, "model": "Qwen/Qwen3-8B", "colour": "red"},
        {"id": 5, "model": "Qwen/Qwen3-8B", "ctx": 8192, "kv": "q8_0", "seqs": 4, "kv_unified": False},
        {"id": 6, "model": {"model_type": "unheard-of"}},
    ]
    text = "\n".join([*(json.dumps(line) for line in lines), "{broken", "[1]", ""])
    found = list(answers(Workspace(user=False), StringIO(text)))
    assert [line.get("id") for line in found] == [1, "b", None, 4, 5, 6, None, None]
    assert [("error" in line) for line in found] == [False, True, True, True, False, True, True, True]
    assert [found[index]["field"] for index in (1, 2, 3)] == ["ctx", "model", "colour"]
    assert found[0]["total_bytes"] > found[0]["weights"]["device_bytes"] > 0


def test_a_long_batch_is_answered_in_its_order_whoever_computes(tmp_path: Path) -> None:
    quants = ("Q4_K_M", "Q8_0", "F16", "nothing")
    lines = [
        json.dumps({"id": number, "model": "Qwen/Qwen3-8B", "quant": quants[number % 4], "ctx": 1024 + 256 * number})
        for number in range(SHARED_FROM_LINES + 30)
    ]
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "vram_tui", "estimate", "--batch", str(path)], capture_output=True, text=True, check=True
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found == list(answers(Workspace(user=False), lines))


def test_a_line_through_a_pipe_is_answered_before_the_next_comes() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "vram_tui", "estimate", "--batch", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        for number in (1, 2):
            process.stdin.write(json.dumps({"id": number, "model": "Qwen/Qwen3-8B", "ctx": 4096}) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number


def test_an_inline_configuration_is_a_model() -> None:
    config = {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "tie_word_embeddings": False,
    }
    line = json.dumps({"id": 7, "model": config, "quant": "F16", "ctx": "8K"})
    (answer,) = answers(Workspace(user=False), StringIO(line))
    assert answer["id"] == 7
    assert answer["weights"]["parameters"] == 8_030_261_248
    assert answer["kv_bytes"] == 131072 * 8192


@pytest.mark.parametrize(
    "fill", [("quant", 7), ("model", 5), ("ctx", True), ("seqs", "many"), ("free", "yes"), ("tensor_split", [-1])]
)
def test_values_of_the_wrong_kind_name_their_field(fill: tuple[str, Any]) -> None:
    line = json.dumps({"id": 0, "model": "Qwen/Qwen3-8B", "ctx": 1024, fill[0]: fill[1]})
    (answer,) = answers(Workspace(user=False), StringIO(line))
    assert answer["field"] == fill[0]
    assert "error" in answer


def test_a_server_on_cards_says_what_its_pool_holds(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("estimate", "openai/gpt-oss-120b", "--quant", "MXFP4", "--ctx", "32K", "--runtime", "vllm")
    _, found, _ = ask(capsys, *asked, "--gpus", "h100")
    pool = found["pool"]
    assert pool["setting"] == "gpu_memory_utilization"
    assert pool["occupied_bytes"] == found["devices"][0]["usable_bytes"]
    assert pool["tokens"] == pytest.approx(pool["requests"] * 32768, rel=0.01)
    assert pool["largest_ctx"] >= found["largest_ctx"] > 32768
    _, least, _ = ask(capsys, *asked, "--gpus", "h100", "--gpu-memory-utilization", str(pool["least_setting"]))
    assert least["fits"]
    assert least["pool"]["requests"] >= 1
    _, less, _ = ask(capsys, *asked, "--gpus", "h100", "--gpu-memory-utilization", str(pool["least_setting"] - 0.02))
    assert less["fits"] is False
    assert main([*asked, "--gpus", "h100"]) == 0
    assert "requests of 32,768 at once" in capsys.readouterr().out
    _, alone, _ = ask(capsys, *asked)
    assert "pool" not in alone


def test_a_line_without_an_end_is_one_error_and_the_rest_is_answered() -> None:
    """Sixty-four MiB of one line cost neither memory nor time, and what follows has its answer."""
    import io

    from vram_tui.commands.batch import KEPT_BYTES, _waiting_lines

    stream = io.BytesIO(b"x" * (64 << 20) + b'\n{"id": 1}\n')
    lines = [line for some in _waiting_lines(stream) for line in some]
    assert [len(line) <= KEPT_BYTES + (1 << 20) for line in lines] == [True, True]
    assert lines[-1] == '{"id": 1}'
    (answer,) = answers(Workspace(), lines[:1])
    assert "longer than" in answer["error"]
