"""llama.cpp's own allocator, asked on the CPU and on simulated GPUs: it answers as it was recorded, and as we do."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.estimator.truth_models import facts, subjects
from tests.truth import rows
from vram_tui.catalog import load_catalog
from vram_tui.cli import main
from vram_tui.estimator.devices import Device, Machine
from vram_tui.estimator.scenario import Scenario
from vram_tui.importers.gguf_blocks import model_from_metadata
from vram_tui.importers.gguf_metadata import NoGgufError, metadata_of
from vram_tui.importers.gguf_names import typed_file_tensors
from vram_tui.importers.gguf_writer import write_header
from vram_tui.verify import asking, comparing, library
from vram_tui.verify.asking import Answer, Request, ask
from vram_tui.verify.comparing import CPU, Comparison, compare
from vram_tui.verify.library import UnavailableError

try:
    library.installed()
    INSTALLED = True
except UnavailableError:
    INSTALLED = False
asks = pytest.mark.skipif(not INSTALLED, reason="needs the `verify` extra")

MODELS = ("Qwen3-8B", "gemma-3-27b", "DeepSeek-V3", "Qwen3-30B-A3B", "Kimi-K2", "Nemotron-Nano-9B-v2", "gpt-oss-20b")
"""Dense, windows, latent attention, routed experts, shared ones, states, sinks."""
CARD = Device("card", "card", "", "datacenter", "cuda", 80 << 30, 80 << 30)


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("headers")


def header(folder: Path, name: str) -> Path:
    """The recorded model as a file without weights."""
    path = folder / f"{name}.gguf"
    if not path.exists():
        model = subjects()[name].model
        tensors = typed_file_tensors(model, "Q4_K_M", facts(), imatrix=False)
        write_header({**metadata_of(model), "tokenizer.ggml.model": "none"}, tensors, path, extend=True)
    return path


def recorded(name: str, device: str) -> Iterator[dict[str, Any]]:
    """One row of each kind of cache and of logits."""
    seen = set()
    for row in rows("llamacpp_allocations"):
        if (row["model"], row["device"]) == (name, device) and "error" not in row:
            kind = (row["type_k"], row["flash_attn"], bool(row["n_outputs_max"]), row["n_seq"] > 1)
            if kind not in seen:
                seen.add(kind)
                yield row


def request(path: Path, row: dict[str, Any]) -> Request:
    return Request(
        path=str(path),
        n_ctx=row["n_ctx"],
        ubatch=row["n_ubatch"],
        seqs=row["n_seq"],
        unified=row["kv_unified"],
        outputs=row["n_outputs_max"],
        type_k=row["type_k"],
        type_v=row["type_v"],
        flash=row["flash_attn"],
        swa_full=row["swa_full"],
        devices=(80 << 30,) * {"cpu": 0, "cuda1": 1, "cuda2": 2}[row["device"]],
    )


@asks
@pytest.mark.parametrize("device", ["cpu", "cuda1", "cuda2"])
@pytest.mark.parametrize("name", MODELS)
def test_it_answers_as_it_was_recorded(headers: Path, name: str, device: str) -> None:
    row = next(recorded(name, device))
    answer = ask(request(header(headers, name), row))
    assert not answer.refusal
    gpus = [answer.on(index) for index in range(2)]
    ram = answer.on(-1)
    caches = row["kv_bytes"] + row["recurrent_bytes"]
    assert (answer.n_ctx, answer.n_ctx_seq) == (row["n_ctx_real"], row["n_ctx_seq"])
    assert round(row["output_bytes"] / (1 << 20), 2) == answer.output_mib
    if device == "cpu":
        assert (ram.weights, ram.caches, ram.compute) == (row["weights_bytes"], caches, row["compute_bytes"])
        return
    found = tuple(sum(getattr(gpu, part) for gpu in gpus) for part in ("weights", "caches", "compute"))
    assert found == (row["weights_gpu_bytes"], caches, row["compute_bytes"])
    assert ram.compute == row["compute_host_bytes"]


@asks
@pytest.mark.parametrize("name", ["Qwen3-8B", "DeepSeek-V3"])
def test_every_kind_of_setting_on_a_simulated_gpu(headers: Path, name: str) -> None:
    for row in recorded(name, "cuda1"):
        answer = ask(request(header(headers, name), row))
        assert answer.on(0).compute == row["compute_bytes"], row


@asks
def test_what_it_refuses_is_its_reason(headers: Path) -> None:
    row = next(row for row in rows("llamacpp_allocations") if "error" in row and row["device"] == "cuda1")
    answer = ask(request(header(headers, row["model"]), row))
    assert answer.refusal
    assert not answer.buffers


@asks
def test_a_reason_that_is_only_logged_is_told(headers: Path) -> None:
    row = next(recorded("Qwen3-8B", "cpu"))
    asked = replace(request(header(headers, "Qwen3-8B"), row), flash="off", type_v="q8_0")
    assert "quantized V cache requires flash_attn" in ask(asked).refusal


@asks
def test_a_file_that_is_none_is_a_refusal(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(40))
    assert ask(Request(str(broken), 4096)).refusal


@asks
def test_an_answer_has_its_time(headers: Path) -> None:
    row = next(recorded("Qwen3-8B", "cpu"))
    assert "seconds" in ask(request(header(headers, "Qwen3-8B"), row), time_limit_s=0.01).refusal


@asks
def test_weights_and_caches_agree_on_unequal_cards_and_with_a_split() -> None:
    subject = load_catalog(user=False).subject("Qwen/Qwen3-8B")
    small = replace(CARD, memory_bytes=24 << 30, usable_bytes=24 << 30)
    for scenario in (
        Scenario(machine=Machine("two unequal cards", (CARD, small))),
        Scenario(machine=Machine("two cards, split 3 to 1", (CARD, CARD)), tensor_split=(3.0, 1.0)),
    ):
        found = compare(subject, "Q4_K_M", 8192, scenario, facts())
        assert not found.their_refusal
        lines = [line for line in found.lines if line.term in ("weights", "KV cache and state")]
        assert {line.where for line in lines} == {"GPU 0", "GPU 1", "RAM"}
        assert all(line.exact for line in lines), lines


@asks
def test_the_command_compares_and_says_whether_all_is_equal(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["verify", "qwen3-8b", "--quant", "Q4_K_M", "--ctx", "8K", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert [one["machine"] for one in found] == ["the CPU alone", "one simulated GPU"]
    assert code == (0 if all(one["equal"] for one in found) else 1)
    for one in found:
        for term in one["terms"]:
            assert term["our_bytes"] == pytest.approx(term["llama_cpp_bytes"], rel=0.01)
            assert term["equal"] or term["term"] == "compute buffer"


def test_without_the_package_the_command_says_how_to_install_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "PACKAGE", "no-such-package")
    assert main(["verify", "qwen3-8b"]) == 2
    assert "pip install 'vram-tui[verify]'" in capsys.readouterr().err


def test_settings_without_a_part_in_it_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing else"):
        compare(subjects()["Qwen3-8B"], "Q4_K_M", 4096, Scenario(runtime="vllm"), facts())
    with pytest.raises(ValueError, match="numbers"):
        compare(subjects()["Qwen3-8B"], "Q4_K_M", 4096, Scenario(ngl="auto"), facts())


def test_a_difference_and_a_lone_refusal_are_not_equal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = Answer((asking.Buffers("CPU", 1, 2, 3),), 0.58, 4096, 4096)
    monkeypatch.setattr(comparing, "ask", lambda request: given)
    found = compare(subjects()["Qwen3-8B"], "Q4_K_M", 4096, Scenario(machine=CPU), facts(), tmp_path)
    assert not found.exact
    assert {line.term for line in found.lines if line.exact} == {"output buffer"}
    assert not Comparison("m", (), their_refusal="no").exact
    assert Comparison("m", (), "no", "no either").exact


def test_a_model_without_gguf_is_told() -> None:
    catalog = load_catalog(user=False)
    model = next(
        model for model in (catalog.entry(one.id).model for one in catalog.entries) if not model.gguf.architecture
    )
    with pytest.raises(NoGgufError):
        metadata_of(model)


@pytest.mark.parametrize("row", rows("llamacpp_models"), ids=lambda row: str(row["model"]))
def test_key_values_written_from_blocks_read_back_as_the_same_blocks(row: dict[str, Any]) -> None:
    model = subjects()[row["model"]].model
    again = model_from_metadata(
        metadata_of(model),
        vocab_size=row["vocab"],
        tied=row["tie"],
        left_out=row.get("optional_tensors_left_out") or (),
    )
    assert typed_file_tensors(again, "Q4_K_M", facts()) == typed_file_tensors(model, "Q4_K_M", facts())
    assert [layer.mixer for layer in again.layers()] == [layer.mixer for layer in model.layers()]
