"""Copy through the terminal (OSC 52), so that it works over SSH, inside tmux and GNU screen."""

import base64
from collections.abc import Mapping

from vram_tui.estimator.records import record

LIMIT_BASE64_BYTES = 74_994
"""A careful limit: terminals are known to take sequences of 100,000 bytes, some of them less."""
SCREEN_CHUNK_BYTES = 250
"""GNU screen cuts longer device control strings."""
_ESCAPE, _BELL, _END = "\x1b", "\x07", "\x1b\\"

_TMUX = "tmux passes this on with `set -g set-clipboard on` or `set -g allow-passthrough on` in tmux.conf"
_PROGRAMS = {
    "Apple_Terminal": "Terminal.app does not take text for the clipboard: export to a file, or use another terminal",
    "iTerm.app": "iTerm2 takes this where its settings let applications in the terminal access the clipboard",
}


class ClipboardError(ValueError):
    """The text cannot go through the terminal; the message says why and what to do."""


@record
class Copied:
    """What to write to the terminal (empty where it can only do harm), its size, and a doubt to tell the person."""

    sequence: str
    bytes: int
    warning: str = ""


def osc52(text: str, env: Mapping[str, str], limit_base64_bytes: int = LIMIT_BASE64_BYTES) -> Copied:
    """The sequence that puts `text` on the clipboard of the terminal that `env` describes.

    `bytes` counts the sequence. Raises ClipboardError for text beyond the limit: terminals cut or drop it silently.
    """
    payload = base64.b64encode(text.encode("utf-8", "backslashreplace")).decode("ascii")
    if len(payload) > limit_base64_bytes:
        raise ClipboardError(
            f"the text is too long for the terminal's clipboard ({len(payload):,} of {limit_base64_bytes:,} bytes "
            "encoded): export it to a file"
        )
    terminal = env.get("TERM", "")
    if terminal in ("", "dumb", "linux"):
        name = "the Linux console" if terminal == "linux" else f"TERM={terminal or '(unset)'}"
        return Copied("", 0, f"{name} has no clipboard: export to a file")
    plain = f"{_ESCAPE}]52;c;{payload}{_BELL}"
    if env.get("TMUX") or terminal.startswith("tmux"):
        # The plain form serves set-clipboard, the wrapped one allow-passthrough: either setting is enough.
        wrapped = f"{_ESCAPE}Ptmux;{plain.replace(_ESCAPE, _ESCAPE * 2)}{_END}"
        return _copied(plain + wrapped, _TMUX)
    if env.get("STY") or terminal.startswith("screen"):
        pieces = (plain[at : at + SCREEN_CHUNK_BYTES] for at in range(0, len(plain), SCREEN_CHUNK_BYTES))
        wrapped = "".join(f"{_ESCAPE}P{piece}{_END}" for piece in pieces)
        return _copied(
            wrapped, "GNU screen passes this on; whether the terminal around it takes it cannot be seen here"
        )
    return _copied(plain, _doubt(env))


def _copied(sequence: str, warning: str) -> Copied:
    return Copied(sequence, len(sequence), warning)


def _doubt(env: Mapping[str, str]) -> str:
    if warning := _PROGRAMS.get(env.get("TERM_PROGRAM", "")):
        return warning
    if env.get("VTE_VERSION"):
        return "GNOME Terminal and its kin may not take text for the clipboard: export to a file if it stays empty"
    if env.get("XTERM_VERSION"):
        return "xterm takes this only with the resource `XTerm*disallowedWindowOps: 20,21,SetXprop`"
    return ""
