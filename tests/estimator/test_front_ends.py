"""What Ollama, LM Studio and KoboldCpp take by themselves, in the estimator, on the command line and in a session."""

import json
from typing import Any

import pytest

from tests.estimator.offload_cases import card
from tests.estimator.truth_models import facts, subjects
from vram_tui.cli import main
from vram_tui.estimator.compiling import compile as compile_memory
from vram_tui.estimator.devices import Machine
from vram_tui.estimator.front_ends import default_ctx, default_seqs
from vram_tui.estimator.scenario import Scenario
from vram_tui.session import edits
from vram_tui.session.state import Session

GIB = 1 << 30


def machine(*gib: int) -> Machine:
    return Machine("cards", tuple(card(size * GIB) for size in gib))


@pytest.mark.parametrize(
    ("gib", "ctx"), [((12,), 4096), ((24,), 32768), ((12, 12), 32768), ((48,), 262144), ((24, 24), 262144)]
)
def test_ollama_takes_its_context_by_the_memory_of_all_cards(gib: tuple[int, ...], ctx: int) -> None:
    ollama = facts().runtimes["ollama"]
    assert default_ctx(ollama, machine(*gib), 1 << 20) == ctx
    assert default_ctx(ollama, machine(*gib), 8192) == min(ctx, 8192)


def test_the_others_have_one_context_and_llama_cpp_has_the_models_own() -> None:
    runtimes = facts().runtimes
    assert default_ctx(runtimes["lm-studio"], None, 1 << 17) == 4096
    assert default_ctx(runtimes["koboldcpp"], None, 1 << 17) == 8192
    assert default_ctx(runtimes["llama.cpp"], None, 1 << 17) is None
    assert default_ctx(runtimes["ollama"], None, 1 << 17) is None


def test_requests_side_by_side() -> None:
    found = {name: default_seqs(facts().runtimes[name]) for name in ("llama.cpp", "ollama", "lm-studio", "koboldcpp")}
    assert found == {"llama.cpp": 1, "ollama": 1, "lm-studio": 4, "koboldcpp": 1}


def test_ollama_multiplies_the_context_by_its_requests() -> None:
    subject = subjects()["Qwen3-8B"]

    def cache(runtime: str, seqs: int, ctx: int) -> int:
        memory = compile_memory(subject, "Q4_K_M", Scenario(runtime=runtime, seqs=seqs), facts())
        return memory.group_bytes(ctx, "kv")

    assert cache("ollama", 4, 8192) == cache("llama.cpp", 1, 32768)
    assert cache("lm-studio", 4, 8192) == cache("llama.cpp", 1, 8192)
    assert cache("koboldcpp", 1, 8192) == cache("llama.cpp", 1, 8192)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["estimate", "qwen3-8b", "--json", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize(
    ("runtime", "gpus", "ctx"),
    [("ollama", "rtx-4090", 32768), ("ollama", "rtx-3060-12gb", 4096), ("lm-studio", "rtx-4090", 4096),
     ("koboldcpp", "rtx-4090", 8192), ("llama.cpp", "rtx-4090", 40960)],
)  # fmt: skip
def test_the_command_line_takes_what_the_program_takes(
    capsys: pytest.CaptureFixture[str], runtime: str, gpus: str, ctx: int
) -> None:
    assert told(capsys, "--runtime", runtime, "--gpus", gpus)["ctx"] == ctx
    assert told(capsys, "--runtime", runtime, "--gpus", gpus, "--ctx", "16K")["ctx"] == 16384


def test_the_command_line_serves_as_many_as_the_program_serves(capsys: pytest.CaptureFixture[str]) -> None:
    four = told(capsys, "--runtime", "lm-studio", "--ctx", "8K")
    assert four == told(capsys, "--runtime", "lm-studio", "--ctx", "8K", "--seqs", "4")
    assert four != told(capsys, "--runtime", "lm-studio", "--ctx", "8K", "--seqs", "1")


def test_a_session_takes_the_runtimes_own_requests_until_somebody_changes_them() -> None:
    runtimes = facts().runtimes
    session = edits.set_runtime(Session(), "lm-studio", runtimes)
    assert session.scenario.seqs == 4
    assert edits.set_runtime(session, "ollama", runtimes).scenario.seqs == 1
    own = edits.set_sequences(session, "3")
    assert edits.set_runtime(own, "koboldcpp", runtimes).scenario.seqs == 3
