"""Where a recipe takes the weights from: the person's file, a repository, or a placeholder that says so."""

from vram_tui.exporters.recipes.request import RecipeRequest
from vram_tui.exporters.recipes.shell import pasteable, slug

SIXTEEN_BIT = {"F16": "float16", "FP16": "float16", "BF16": "bfloat16", "F32": "float32", "FP32": "float32"}
_HIDDEN = "has characters that do not print, so a stand-in is named"


def gguf_path(request: RecipeRequest, notes: list[str]) -> str:
    """The GGUF file: as given, or a name to put in its place."""
    if request.file:
        if pasteable(request.file):
            return _as_path(request.file)
        notes.append(f"The file's name {_HIDDEN}: rename the file before you use it.")
    else:
        notes.append(f"Put the path of your {request.quant} GGUF of {request.name} in the place of this one.")
    return f"./{slug(request.name)}-{slug(request.quant, 'quant')}.gguf"


def gguf_repo(request: RecipeRequest) -> str:
    """`owner/name` of a repository with the GGUF, empty where a file is given or none is known."""
    return request.repo if not request.file and _is_repo(request.repo) else ""


def checkpoint(request: RecipeRequest, notes: list[str], *, quantizes: bool = False) -> str:
    """A folder or repository with safetensors; the model's own repository where nothing else is known.

    `quantizes`: the engine makes the format itself while it loads 16-bit weights.
    """
    if request.file:
        if pasteable(request.file):
            return _as_path(request.file)
        notes.append(f"The folder's name {_HIDDEN}: rename it before you use it.")
        return f"./{slug(request.name)}"
    for repo in (request.repo, request.model):
        if _is_repo(repo):
            if repo != request.repo and not quantizes and request.quant.upper() not in SIXTEEN_BIT:
                notes.append(
                    f"The weights must be {request.quant}: put the repository that holds them in the place of {repo}."
                )
            return repo
    notes.append("Put the repository or folder that holds the weights in the place of ORG/MODEL.")
    return "ORG/MODEL"


def dtype(request: RecipeRequest) -> str:
    """The 16- or 32-bit type that the format stands for, empty for quantized formats."""
    return SIXTEEN_BIT.get(request.quant.upper(), "")


def _as_path(file: str) -> str:
    """A path that no program takes for an option or a name."""
    return file if file.startswith(("/", "./", "../", "~/")) else f"./{file}"


def _is_repo(text: str) -> bool:
    return pasteable(text) and text.count("/") == 1 and not text.startswith(("-", "/", ".", "~")) and text[-1] != "/"
