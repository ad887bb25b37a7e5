"""Recipes say exactly the scenario, and no name can make a command do anything else."""

import ast
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vram_tui.estimator.devices import Device, Machine
from vram_tui.estimator.scenario import Scenario
from vram_tui.exporters.recipes import ENGINES, Placement, Recipe, RecipeRequest, recipe
from vram_tui.exporters.recipes.shell import pasteable

CARD = Device("x", "X", "nvidia", "gpu", "cuda-ada", 24 << 30, 24 << 30)


def asked(engine: str, quant: str = "Q4_K_M", ctx: int = 32_768, **fields: object) -> RecipeRequest:
    scenario = Scenario(runtime=engine)
    return replace(RecipeRequest("org/model-7b", "Model 7B", quant, ctx, scenario), **fields)  # type: ignore[arg-type]


def words(command: str) -> list[str]:
    """The words that a shell sees: a backslash at the end of a line joins the lines first."""
    return shlex.split(command.replace("\\\n", " "))


def options(found: Recipe, index: int = -1) -> dict[str, str]:
    """Flags of one step with the word after each (empty for a flag without a value)."""
    parts = words(found.steps[index].command)
    return {
        part: parts[at + 1] if at + 1 < len(parts) and not parts[at + 1].startswith("--") else ""
        for at, part in enumerate(parts)
        if part.startswith("--")
    }


def test_every_engine_has_a_recipe_and_others_are_refused() -> None:
    for engine in ENGINES:
        found = recipe(asked(engine))
        assert found.engine == engine
        assert found.steps
        assert found.text.endswith("\n")
    with pytest.raises(ValueError, match=r"no launch recipe for 'nope': there are llama\.cpp, ollama"):
        recipe(asked("nope"))


def test_llama_server_gets_all_that_decides_about_memory() -> None:
    scenario = Scenario(
        kv_k="q8_0", kv_v="q4_0", seqs=3, kv_unified=False, ubatch=4096, flash_attn="on", swa_full=True, mtp=True,
        machine=Machine("two", (CARD, CARD)), override_tensor=(r"blk\.0\..*=CPU", "output=CUDA1"),
    )  # fmt: skip
    place = Placement(devices=2, ngl=40, n_cpu_moe=12, tensor_split=(3, 1.5))
    found = recipe(asked("llama.cpp", scenario=scenario, placement=place, file="/m/a b.gguf", largest_ctx=65_536))
    parts = words(found.steps[0].command)
    assert parts[0] == "llama-server"
    assert options(found) == {
        "--model": "/m/a b.gguf",
        "--ctx-size": "32768",
        "--parallel": "3",
        "--no-kv-unified": "",
        "--cache-type-k": "q8_0",
        "--cache-type-v": "q4_0",
        "--flash-attn": "on",
        "--batch-size": "4096",
        "--ubatch-size": "4096",
        "--swa-full": "",
        "--n-gpu-layers": "40",
        "--fit": "off",
        "--n-cpu-moe": "12",
        "--split-mode": "layer",
        "--tensor-split": "3,1.5",
        "--override-tensor": "output=CUDA1",
        "--spec-type": "draft-mtp",
    }
    assert r"blk\.0\..*=CPU" in parts
    assert any("64K (65,536 tokens)" in note for note in found.notes)


def test_llama_server_defaults_place_everything_on_one_device() -> None:
    found = options(
        recipe(asked("llama.cpp", repo="org/model-GGUF", scenario=Scenario(machine=Machine("one", (CARD,)))))
    )
    assert found["--hf-repo"] == "org/model-GGUF:Q4_K_M"
    assert found["--n-gpu-layers"] == "all"
    assert found["--split-mode"] == "none"
    assert found["--kv-unified"] == ""
    assert "--ubatch-size" not in found
    automatic = options(recipe(asked("llama.cpp", scenario=Scenario(ngl="auto"))))
    assert automatic["--n-gpu-layers"] == "auto"
    assert "--fit" not in automatic


def test_what_an_engine_cannot_do_is_said() -> None:
    fp8 = Scenario(kv_k="fp8", kv_v="fp8")
    assert any("llama.cpp has no cache type fp8" in note for note in recipe(asked("llama.cpp", scenario=fp8)).notes)
    for engine in ("vllm", "sglang", "tensorrt-llm"):
        found = recipe(asked(engine, scenario=Scenario(runtime=engine, kv_k="q8_0", kv_v="q8_0")))
        assert any("no cache type q8_0" in note for note in found.notes)
        assert "q8_0" not in found.steps[-1].command
    mixed = recipe(asked("ollama", scenario=Scenario(runtime="ollama", kv_k="q8_0", kv_v="f16")))
    assert any("one cache type for K and V" in note for note in mixed.notes)
    assert any("does not fit" in note for note in recipe(asked("mlx", largest_ctx=0)).notes)
    assert any("largest context here is 4K" in note for note in recipe(asked("mlx", largest_ctx=4096)).notes)


def test_ollama_writes_a_modelfile_and_runs_it() -> None:
    scenario = Scenario(runtime="ollama", kv_k="q8_0", kv_v="q8_0", seqs=2, flash_attn="on", ubatch=256)
    found = recipe(asked("ollama", scenario=scenario, placement=Placement(ngl=20), file="/m/it's.gguf"))
    serve, modelfile, create, run = (words(step.command) for step in found.steps)
    assert serve == [
        "OLLAMA_NUM_PARALLEL=2",
        "OLLAMA_KV_CACHE_TYPE=q8_0",
        "OLLAMA_FLASH_ATTENTION=1",
        "ollama",
        "serve",
    ]
    assert modelfile == [
        "printf", r"%s\n", 'FROM "/m/it\'s.gguf"', "PARAMETER num_ctx 32768", "PARAMETER num_gpu 20",
        "PARAMETER num_batch 256", ">", "Modelfile.model-7b-32768",
    ]  # fmt: skip
    assert create == ["ollama", "create", "model-7b-32768", "-f", "Modelfile.model-7b-32768"]
    assert run == ["ollama", "run", "model-7b-32768"]


def test_lm_studio_and_koboldcpp_speak_their_own_names() -> None:
    scenario = Scenario(runtime="lm-studio", kv_k="q8_0", kv_v="q8_0", seqs=2)
    studio = recipe(asked("lm-studio", scenario=scenario, placement=Placement(ngl=16), layers=32))
    assert words(studio.steps[0].command)[:2] == ["lms", "load"]
    assert options(studio, 0) == {"--context-length": "32768", "--gpu": "0.5", "--identifier": "Model-7B"}
    assert any("K cache type q8_0" in note for note in studio.notes)
    scenario = Scenario(runtime="koboldcpp", kv_k="q4_0", kv_v="q4_0", ubatch=1024)
    kobold = options(recipe(asked("koboldcpp", scenario=scenario, placement=Placement(n_cpu_moe=5))))
    assert kobold["--contextsize"] == "32768"
    assert kobold["--quantkv"] == "2"
    assert kobold["--gpulayers"] == "999"
    assert kobold["--moecpu"] == "5"
    assert kobold["--batchsize"] == "1024"
    assert {"--usecuda", "--flashattention", "--useswa"} <= set(kobold)


def test_vllm_on_one_node() -> None:
    scenario = Scenario(
        runtime="vllm", kv_k="fp8", kv_v="fp8", seqs=16, gpu_memory_utilization=0.92, max_batched_tokens=8192, mtp=True
    )
    found = recipe(asked("vllm", "BF16", scenario=scenario, placement=Placement(devices=8, tp=4, pp=2)))
    assert words(found.steps[0].command)[:3] == ["vllm", "serve", "org/model-7b"]
    assert options(found) == {
        "--max-model-len": "32768",
        "--max-num-seqs": "16",
        "--tensor-parallel-size": "4",
        "--pipeline-parallel-size": "2",
        "--dtype": "bfloat16",
        "--kv-cache-dtype": "fp8",
        "--gpu-memory-utilization": "0.92",
        "--max-num-batched-tokens": "8192",
        "--speculative-config": '{"method": "mtp", "num_speculative_tokens": 1}',
    }
    assert "--kv-cache-dtype" not in options(recipe(asked("vllm", "FP8")))


def test_vllm_spans_nodes_over_ray_or_with_ranks_on_each() -> None:
    one_copy = Placement(devices=16, devices_per_node=8, tp=8, pp=2)
    head, other, serve = (words(step.command) for step in recipe(asked("vllm", placement=one_copy)).steps)
    assert head == ["ray", "start", "--head", "--port=6379"]
    assert other == ["ray", "start", "--address=HEAD_IP:6379"]
    assert serve[serve.index("--distributed-executor-backend") + 1] == "ray"
    copies = Placement(devices=16, devices_per_node=8, tp=2, dp=8, ep=16)
    found = recipe(asked("vllm", placement=copies, scenario=Scenario(runtime="vllm", seqs=20), head="10.0.0.1"))
    first, second = options(found, 0), options(found, 1)
    assert len(found.steps) == 2
    assert first["--data-parallel-size"] == second["--data-parallel-size"] == "8"
    assert first["--data-parallel-size-local"] == second["--data-parallel-size-local"] == "4"
    assert first["--max-num-seqs"] == "3"
    assert first["--data-parallel-address"] == "10.0.0.1"
    assert "--headless" not in first
    assert second["--headless"] == ""
    assert second["--data-parallel-start-rank"] == "4"
    assert "--enable-expert-parallel" in first
    both = recipe(asked("vllm", placement=Placement(devices=32, devices_per_node=8, tp=16, dp=2)))
    assert words(both.steps[-1].command)[0] == "VLLM_RAY_DP_PACK_STRATEGY=span"
    assert options(both)["--data-parallel-backend"] == "ray"


def test_sglang_counts_ranks_its_own_way() -> None:
    scenario = Scenario(
        runtime="sglang", kv_k="fp8", kv_v="fp8", seqs=32, mem_fraction_static=0.85, max_batched_tokens=4096
    )
    place = Placement(devices=16, devices_per_node=8, tp=2, dp=8, ep=16)
    found = recipe(asked("sglang", "FP8", scenario=scenario, placement=place))
    first, second = options(found, 0), options(found, 1)
    assert words(found.steps[0].command)[:3] == ["python3", "-m", "sglang.launch_server"]
    assert (first["--tp-size"], first["--dp-size"], first["--ep-size"]) == ("16", "8", "16")
    assert "--enable-dp-attention" in first
    assert first["--kv-cache-dtype"] == "fp8_e4m3"
    assert first["--mem-fraction-static"] == "0.85"
    assert first["--chunked-prefill-size"] == "4096"
    assert first["--max-running-requests"] == "32"
    assert (first["--nnodes"], first["--node-rank"], second["--node-rank"]) == ("2", "0", "1")
    assert first["--dist-init-addr"] == second["--dist-init-addr"] == "HEAD_IP:50000"
    copies = options(recipe(asked("sglang", scenario=scenario, placement=Placement(devices=4, tp=2, dp=2))))
    assert (copies["--tp-size"], copies["--dp-size"], copies["--max-running-requests"]) == ("2", "2", "16")
    assert "--enable-dp-attention" not in copies


def test_tensorrt_llm_on_one_and_several_nodes() -> None:
    scenario = Scenario(runtime="tensorrt-llm", kv_k="fp8", kv_v="fp8", seqs=8, max_batched_tokens=2048)
    place = Placement(devices=16, devices_per_node=8, tp=16, ep=16)
    found = recipe(asked("tensorrt-llm", "FP8", scenario=scenario, placement=place))
    config, serve = (words(step.command) for step in found.steps)
    assert config[2:4] == ["kv_cache_config:", "  dtype: fp8"]
    assert serve[:6] == ["mpirun", "-n", "16", "--hostfile", "hosts", "trtllm-llmapi-launch"]
    flags = options(found)
    assert (flags["--tp_size"], flags["--ep_size"], flags["--gpus_per_node"]) == ("16", "16", "8")
    assert (flags["--max_seq_len"], flags["--max_batch_size"], flags["--max_num_tokens"]) == ("32768", "8", "2048")
    assert flags["--config"] == config[-1]
    assert len(recipe(asked("tensorrt-llm")).steps) == 1


def test_mlx_quantizes_first_where_no_weights_are_named() -> None:
    convert, serve = (words(step.command) for step in recipe(asked("mlx", "MLX-4bit")).steps)
    assert convert[:3] == ["mlx_lm.convert", "--hf-path", "org/model-7b"]
    assert convert[convert.index("--q-bits") + 1] == "4"
    assert serve[:3] == ["mlx_lm.server", "--model", convert[-1]]
    spread = recipe(asked("mlx", "MLX-4bit", repo="mlx-community/m", placement=Placement(devices=2, pp=2)))
    assert words(spread.steps[0].command)[:5] == ["mlx.launch", "--hostfile", "hosts.json", "--", "mlx_lm.server"]
    assert words(spread.steps[0].command)[-1] == "--pipeline"


def test_tabbyapi_gets_a_configuration_for_exllamav3() -> None:
    scenario = Scenario(runtime="exllamav3", kv_k="q8", kv_v="q4", seqs=2)
    place = Placement(devices=2, tp=2)
    found = recipe(asked("exllamav3", "EXL3-4.0", 10_000, scenario=scenario, placement=place, file="/m/my model/"))
    written = words(found.steps[0].command)
    lines = dict(line.strip().split(": ", 1) for line in written[3:-2])
    assert json.loads(lines["model_dir"]) == "/m"
    assert json.loads(lines["model_name"]) == "my model"
    assert lines["cache_size"] == "20224"
    assert (lines["max_seq_len"], lines["max_batch_size"], lines["cache_mode"]) == ("10000", "2", '"8,4"')
    assert lines["tensor_parallel"] == "true"
    assert words(found.steps[1].command) == ["python", "main.py", "--config", written[-1]]


def test_transformers_gets_a_script_that_parses() -> None:
    found = recipe(asked("transformers", "NF4", file='/m/it\'s "q"'))
    tree = ast.parse(found.text)
    values = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {'/m/it\'s "q"', 32_768, "nf4"} <= values
    assert found.steps[0].language == "python"


HOSTILE = [
    "$(touch pwned)", "`id`", "a'; rm -rf ~; '", 'x"; reboot; "', "a\nrm -rf /\n", "\x1b[201~\nid\n", "\x03id",
    "-rf", "--help", "~/x y", "~root", "a\\", "a\\\nb", "EOF", "%s%n", "!!", "\u202egnp.exe", "org/$(id)",
    "a/b\x9b2J", "", " ", "/m/`a`.gguf", '"""', "x: [y", "#c", "org/mo del", "../../etc", "\ud800", "n" * 10_000,
    "'''\nimport os\n'''", "%(x)s {0}", "a;b&c|d>e<f", "*?[a]",
]  # fmt: skip
names = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(HOSTILE)


@given(st.sampled_from(ENGINES), names, names, names, names, names, names, names)
@settings(max_examples=400, deadline=None)
@example("ollama", "m", "n", "Q4_K_M", "/a\nFROM b", "", "h", "x=CPU")
@example("transformers", "m'\nimport os", "n", "NF4", "", "", "h", "x=CPU")
def test_no_name_breaks_out_of_its_word(
    engine: str, model: str, name: str, quant: str, file: str, repo: str, head: str, override: str
) -> None:
    scenario = Scenario(runtime=engine, override_tensor=(override,), seqs=2, kv_k=quant, kv_v=quant)
    place = Placement(devices=16, devices_per_node=8, tp=8, pp=2)
    hostile = RecipeRequest(model, name, quant, 4096, scenario, place, file, repo, 8192, head=head)
    tame = RecipeRequest("org/m", "n", quant, 4096, replace(scenario, override_tensor=("x=CPU",)), place, "", "", 8192)
    found, expected = recipe(hostile), recipe(tame)
    assert all(c.isprintable() or c == "\n" for c in found.text)
    for step in found.steps:
        assert "\n" not in step.comment
        if step.language == "python":
            _same_code(step.command, expected.steps[-1].command)
        else:
            _harmless(step.command, {model, name, quant, file, repo, head, override})


def _same_code(code: str, tame: str) -> None:
    """Only string constants may differ from the script of a tame request."""

    def shape(text: str) -> str:
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                node.value = ""
        return ast.dump(tree)

    assert shape(code) == shape(tame)


def _harmless(command: str, given_texts: set[str]) -> None:
    """A shell that knows all its operators sees words and one redirection to a plain file name, nothing else."""
    joined = command.replace("\\\n", " ")
    assert "\n" not in joined
    lexer = shlex.shlex(joined, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    found = list(lexer)
    operators = [word for word in found if word and set(word) <= set("();<>|&") and word not in given_texts]
    assert operators in ([], [">"])
    if operators:
        assert re.fullmatch(r"[A-Za-z0-9._-]+", found[-1])
    for part in _unquoted(joined):
        assert not set(part) & set('$`;&|()<"*?[]!{}#')
    allowed = {"ollama", "llama-server", "lms", "koboldcpp", "vllm", "ray", "python3", "python", "printf", "mpirun",
               "trtllm-serve", "mlx_lm.server", "mlx_lm.convert", "mlx.launch"}  # fmt: skip
    assert next(word for word in found if not re.match(r"[A-Z_]+=", word)) in allowed


def _unquoted(text: str) -> list[str]:
    """What stands outside of single quotes (shlex.quote writes a single quote as '"'"')."""
    return re.sub(r"'[^']*'|\"'\"", " ", text).split()


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(pasteable))
@settings(max_examples=200, deadline=None)
def test_a_printable_path_arrives_whole(name: str) -> None:
    path = f"/m/{name}"
    for engine, flag in (
        ("llama.cpp", "--model"),
        ("koboldcpp", "--model"),
        ("mlx", "--model"),
        ("sglang", "--model-path"),
        ("vllm", "serve"),
        ("tensorrt-llm", "trtllm-serve"),
    ):
        parts = words(recipe(asked(engine, file=path)).steps[-1].command)
        assert parts[parts.index(flag) + 1] == path
    assert words(recipe(asked("ollama", file=path)).steps[1].command)[2] == f'FROM "{path}"'
    script = ast.parse(recipe(asked("transformers", file=path)).steps[0].command)
    assert path in {node.value for node in ast.walk(script) if isinstance(node, ast.Constant)}


@pytest.mark.parametrize("file", ["a b.gguf", "-rf.gguf", "it's.gguf", "$(id).gguf", "sub/m.gguf"])
def test_a_relative_path_is_never_an_option(file: str) -> None:
    parts = words(recipe(asked("llama.cpp", file=file)).steps[0].command)
    assert parts[parts.index("--model") + 1] == f"./{file}"


def test_home_is_left_to_the_shell() -> None:
    assert "--model ~/'a b.gguf'" in recipe(asked("llama.cpp", file="~/a b.gguf")).steps[0].command


def test_a_hidden_character_gets_a_stand_in_and_a_word() -> None:
    found = recipe(asked("llama.cpp", file="/m/a\u202eb.gguf"))
    assert "./Model-7B-Q4_K_M.gguf" in found.steps[0].command
    assert any("do not print" in note for note in found.notes)


def test_a_shell_does_nothing_but_write_the_file(tmp_path: Path) -> None:
    import subprocess

    for index, hostile in enumerate(HOSTILE):
        step = recipe(asked("ollama", file=hostile, name=f"n{index}")).steps[1]
        done = subprocess.run(["/bin/sh", "-c", step.command], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("", "")
        lines = (tmp_path / f"Modelfile.n{index}-32768").read_text().splitlines()
        assert len(lines) == 2
        assert lines[0].startswith('FROM "')
        assert lines[1] == "PARAMETER num_ctx 32768"
    assert len(list(tmp_path.iterdir())) == len(HOSTILE)


def test_a_placement_can_be_read_from_the_scenario() -> None:
    scenario = Scenario(machine=Machine("two", (CARD, CARD)), tp=2, ngl="auto", n_cpu_moe=4, tensor_split=(1, 2))
    assert Placement.of(scenario) == Placement(devices=2, tp=2, n_cpu_moe=4, tensor_split=(1, 2))
    assert Placement.of(Scenario(tp=4, dp=2, ep=8, ngl=3)) == Placement(devices=8, tp=4, dp=2, ep=8, ngl=3)
    assert Placement(devices=12, devices_per_node=8).nodes == 2
