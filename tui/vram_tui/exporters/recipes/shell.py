"""Commands for a shell in which whatever a file or a person called something stays one harmless word."""

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from vram_tui.text import safe

LINE_CHARS = 88
WORD_CHARS = 4096


def pasteable(text: str) -> bool:
    """Whether a text may stand in a command at all: nothing hidden in it, nothing that a terminal acts on.

    Quotes do not help against control characters: an escape sequence can end a paste, and a ^C the quoted line.
    """
    return bool(text.strip()) and safe(text, WORD_CHARS) == text


def quote(text: str) -> str:
    """One word of a POSIX shell; a leading `~/` stays outside of the quotes, where the shell expands it."""
    if text.startswith("~/") and len(text) > 2:
        return "~/" + shlex.quote(text[2:])
    return shlex.quote(text)


def command(*words: str, options: Iterable[Sequence[str]] = (), env: Mapping[str, str] | None = None) -> str:
    """A command of words and options (a flag with its values), each quoted; long ones get a line per option."""
    start = [f"{name}={quote(value)}" for name, value in (env or {}).items()]
    parts = [" ".join([*start, *map(quote, words)]), *(" ".join(map(quote, option)) for option in options)]
    line = " ".join(parts)
    return line if len(line) <= LINE_CHARS else " \\\n  ".join(parts)


def write_lines(lines: Iterable[str], name: str) -> str:
    """A command that writes the lines to a file: every line is one quoted word, none can end the text early."""
    return " \\\n  ".join([r"printf '%s\n'", *map(shlex.quote, lines), f"> {quote(name)}"])


def yaml_text(text: str) -> str:
    """A YAML string in double quotes: those of JSON are a subset."""
    return json.dumps(text, ensure_ascii=False)


def slug(text: str, instead: str = "model") -> str:
    """A plain name for files and tags: ASCII letters, digits, `.`, `_` and `-`, at most 80 characters."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text[:200]).strip("-._")[:80].rstrip("-._")
    return plain or instead


def short(value: float) -> str:
    """A fraction as people write it: 0.9, not 0.9000000000000000222."""
    return f"{value:.6g}"
