"""`docs/configuration.md`: the settings, from the record that reads them."""

from dataclasses import MISSING, fields

from scripts.writing import code, document, table

from vram_tui.app.themes import NAMES
from vram_tui.session.settings import HELP, KINDS, Settings

INTRODUCTION = """
Nothing has to be configured. What you set while the program runs (the grid, the scenario, marks, units, theme) is kept
by itself; `config.toml` is for what should hold at every start. An option of the command line goes before the file, and
the file before what was kept; only the machine of `gpus` gives way to one that you chose.

A setting that is wrong is told in the dashboard (`!` shows it in full, with what was probably meant) and left out; the
rest of the file holds. `vram-tui --config FILE` reads another file.
"""

EXAMPLE = """
theme = "colour-safe"
units = "gb"
gpus = "2x rtx-3090"
mouse = false

[keys]
quit = ["q", "ctrl+q"]
up = ["up", "k"]
down = ["down", "j"]
what-fits = "W"
"""

KEYS = """
Names of the actions are in the last column of [the key map](keys.md). A key is the character it types, or one of
`enter`, `esc`, `tab`, `shift+tab`, `space`, `up`, `down`, `left`, `right`, `pgup`, `pgdn`, `home`, `end`, `del`,
`ctrl+…`. A key that you give to one action is taken from the action that had it; an action left without any is told.
"""

PLACES = """
| what | on Linux | on macOS |
| --- | --- | --- |
| `config.toml` | `$XDG_CONFIG_HOME/vram-tui/` (`~/.config/vram-tui/`) | `~/Library/Application Support/vram-tui/` |
| your models, `models/<vendor>/<model>.toml` | the same | the same |
| `session.toml`, what is kept | `$XDG_STATE_HOME/vram-tui/` (`~/.local/state/vram-tui/`) | the same |
| a checkout's compiled catalogue | `$XDG_CACHE_HOME/vram-tui/` (`~/.cache/vram-tui/`) | `~/Library/Caches/vram-tui/` |

Files are replaced whole, readable by you alone. Two dashboards may be open at once: what both changed is merged. Your
models stand over shipped ones of the same id. With `--restricted`
neither a session nor a model is written.
"""

ENVIRONMENT = (
    ("COLORTERM", "`truecolor` or `24bit`: the full colours. Otherwise the sixteen of your terminal, unless TERM ends "
     "in `256color`, `kitty` or `direct`."),
    ("NO_COLOR", "No colours; the signs carry the meaning, as they always do."),
    ("LC_ALL, LC_CTYPE, LANG", "`C`, `POSIX` or a character set other than UTF-8: plain ASCII signs."),
    ("TERM, TMUX, STY, TERM_PROGRAM", "Which way the clipboard takes."),
    ("HF_TOKEN, HF_ENDPOINT", "For `vram-tui import hub:ORG/NAME`: access to gated repositories, another hub."),
    ("OLLAMA_MODELS, LLAMA_CACHE, HF_HOME, HF_HUB_CACHE", "Where `vram-tui import --from-caches` looks for models."),
)  # fmt: skip


def _kind(name: str) -> str:
    if name == "theme":
        return ", ".join(code(f'"{theme}"') for theme in NAMES)
    if name == "units":
        return '`"gib"`, `"gb"`'
    return {str: "text", bool: "`true`, `false`", dict: "table"}[KINDS[name]]


def _default(name: str) -> str:
    field = next(field for field in fields(Settings) if field.name == name)
    if field.default is MISSING or field.default is None:
        return "none" if name in ("keys", "gpus") else "what was kept"
    return code(str(field.default).lower())


def page() -> str:
    settings = [(code(name), _kind(name), _default(name), HELP[name]) for name in KINDS]
    return document(
        "Configuration",
        [INTRODUCTION.strip(), "", "## Settings"],
        table(("setting", "values", "default", "what it does"), settings),
        ["```toml", EXAMPLE.strip(), "```"],
        ["## Keys", "", KEYS.strip()],
        ["## Places", "", PLACES.strip()],
        ["## Environment"],
        table(
            ("variable", "what it does"), [(", ".join(map(code, name.split(", "))), text) for name, text in ENVIRONMENT]
        ),
    )
