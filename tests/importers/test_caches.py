"""Models that other programs keep: each cache's own layout, and walks that end."""

import json
import os
from itertools import count
from pathlib import Path

import pytest

from vram_tui.importers.caches import LocalModel, found, places


def put(path: Path, size: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    return path


def ollama_here(home: Path) -> dict[str, str]:
    """An environment in which the folders of a system-wide Ollama are not looked at."""
    return {"OLLAMA_MODELS": str(home / ".ollama/models")}


def manifest(root: Path, name: str, digest: str) -> None:
    path = root / "manifests" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    layers = [
        {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:" + "0" * 64},
        {"mediaType": "application/vnd.ollama.image.model", "digest": digest},
    ]
    path.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))


def test_ollama(tmp_path: Path) -> None:
    root = tmp_path / ".ollama/models"
    blob = put(root / "blobs" / f"sha256-{'a' * 64}", 4000)
    manifest(root, "registry.ollama.ai/library/qwen3/8b", f"sha256:{'a' * 64}")
    manifest(root, "registry.ollama.ai/someone/tuned/latest", f"sha256:{'a' * 64}")
    manifest(root, "hf.co/bartowski/Some-GGUF/Q4_K_M", f"sha256:{'a' * 64}")
    manifest(root, "registry.ollama.ai/library/gone/1b", f"sha256:{'b' * 64}")
    manifest(root, "registry.ollama.ai/library/evil/1b", "sha256:../../../../etc/passwd")
    (root / "manifests/registry.ollama.ai/library/qwen3/broken").write_text("{")
    (root / "manifests/registry.ollama.ai/library/qwen3/odd").write_text('{"layers": [3]}')
    assert found(ollama_here(tmp_path), tmp_path) == tuple(
        LocalModel("Ollama", name, blob, 4000)
        for name in ("hf.co/bartowski/Some-GGUF:Q4_K_M", "qwen3:8b", "someone/tuned:latest")
    )


def test_lm_studio_lists_a_set_once_and_no_projector(tmp_path: Path) -> None:
    root = tmp_path / ".lmstudio/models/pub/Model-GGUF"
    put(root / "mmproj-model-f16.gguf")
    first = put(root / "Model-00001-of-00002.gguf", 10)
    put(root / "Model-00002-of-00002.gguf", 20)
    put(root / "Model-Q8_0.gguf", 5)
    put(root / "empty.gguf", 0)
    put(tmp_path / ".lmstudio/models/mlx/Small/config.json")
    put(tmp_path / ".lmstudio/models/mlx/Small/model.safetensors", 7)
    models = found(ollama_here(tmp_path), tmp_path)
    assert [(m.source, m.name, m.size_bytes) for m in models] == [
        ("LM Studio", "mlx/Small", 7),
        ("LM Studio", "pub/Model-GGUF/Model-00001-of-00002.gguf", 30),
        ("LM Studio", "pub/Model-GGUF/Model-Q8_0.gguf", 5),
    ]
    assert models[1].path == first


def test_lm_studio_follows_its_home_pointer(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere/models/a/b/c.gguf", 3)
    (tmp_path / ".lmstudio-home-pointer").write_text(str(tmp_path / "elsewhere"))
    assert [model.name for model in found(ollama_here(tmp_path), tmp_path)] == ["a/b/c.gguf"]


def test_llama_cpp(tmp_path: Path) -> None:
    put(tmp_path / "cache/org_model_q4.gguf", 9)
    (model,) = found({"LLAMA_CACHE": str(tmp_path / "cache"), **ollama_here(tmp_path)}, tmp_path)
    assert (model.source, model.name, model.size_bytes) == ("llama.cpp", "org_model_q4.gguf", 9)


def hub_repository(hub: Path, name: str, revision: str, files: dict[str, int]) -> None:
    repository = hub / f"models--{name.replace('/', '--')}"
    for number, (file, size) in enumerate(files.items()):
        blob = put(repository / "blobs" / f"{revision}{number}", size)
        link = repository / "snapshots" / revision / file
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))


def test_hugging_face_takes_the_present_snapshot(tmp_path: Path) -> None:
    hub = tmp_path / "hf/hub"
    hub_repository(hub, "org/model", "abc1", {"config.json": 50, "model.safetensors": 1000})
    hub_repository(hub, "org/model", "abc2", {"config.json": 50, "model.safetensors": 2000})
    put(hub / "models--org--model/refs/main").write_text("abc1")
    hub_repository(hub, "org/some-gguf", "def", {"sub/x-Q4_K_M.gguf": 77})
    hub_repository(hub, "org/tokenizer-only", "0", {"config.json": 50})
    models = found({"HF_HOME": str(tmp_path / "hf"), **ollama_here(tmp_path)}, tmp_path)
    assert [(m.source, m.name, m.size_bytes) for m in models] == [
        ("Hugging Face", "org/model", 1000),
        ("Hugging Face", "org/some-gguf/sub/x-Q4_K_M.gguf", 77),
    ]
    assert models[0].path == hub / "models--org--model/snapshots/abc1"


@pytest.mark.parametrize(
    ("env", "program", "folder"),
    [
        ({}, "Ollama", "/home/me/.ollama/models"),
        ({"OLLAMA_MODELS": "/data/o"}, "Ollama", "/data/o"),
        ({}, "Hugging Face", "/home/me/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "Hugging Face", "/x/huggingface/hub"),
        ({"HF_HOME": "/h", "XDG_CACHE_HOME": "/x"}, "Hugging Face", "/h/hub"),
        ({"HF_HUB_CACHE": "/c", "HF_HOME": "/h"}, "Hugging Face", "/c"),
        ({"LLAMA_CACHE": "/l"}, "llama.cpp", "/l"),
    ],
)
def test_environment_says_where(env: dict[str, str], program: str, folder: str) -> None:
    assert (program, Path(folder)) in places(env, Path("/home/me"))


def test_nothing_anywhere(tmp_path: Path) -> None:
    assert found(ollama_here(tmp_path), tmp_path / "no home") == ()


def test_loops_fifos_and_linked_folders_are_left_alone(tmp_path: Path) -> None:
    root = tmp_path / ".lmstudio/models"
    put(root / "a/real.gguf", 1)
    put(tmp_path / "outside/other.gguf", 1)
    (root / "a/loop").symlink_to(root)
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "self.gguf").symlink_to(root / "self.gguf")
    (root / "null.gguf").symlink_to("/dev/null")
    os.mkfifo(root / "pipe.gguf")
    assert [model.name for model in found(ollama_here(tmp_path), tmp_path)] == ["a/real.gguf"]


def test_the_walk_is_bounded(tmp_path: Path) -> None:
    for number in range(300):
        put(tmp_path / f".lmstudio/models/m{number:03}.gguf", 1)
    assert len(found(ollama_here(tmp_path), tmp_path, max_entries=50)) < 50
    ticks = count()
    assert len(found(ollama_here(tmp_path), tmp_path, max_seconds=100, clock=lambda: float(next(ticks)))) < 110
