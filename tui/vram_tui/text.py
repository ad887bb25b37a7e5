"""Make text that came from a file harmless to print: every room may import this."""

import re

LIMIT_CHARS = 500

# Everything that moves the cursor, reorders a line, breaks it or draws nothing: C0, DEL and C1,
# soft hyphen, joiners and fillers, bidi marks, overrides and isolates, line and paragraph
# separators, invisible operators, byte-order mark, annotations, lone surrogates, tag characters.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def safe(text: str, limit: int = LIMIT_CHARS) -> str:
    r"""Return ``text`` on one line of at most ``limit`` characters, with nothing hidden in it.

    Control, bidirectional, zero-width and line-breaking characters become visible escapes
    (``\x1b``, ``\u202e``); a longer text ends in ``…``. The work is bounded by ``limit``, not by
    the length of the text, and ``safe(safe(x)) == safe(x)``.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    shown = _UNSAFE.sub(_escape, text[: max(limit, 0)])
    if len(text) <= limit and len(shown) <= limit:
        return shown
    return shown[: limit - 1] + "…" if limit > 0 else ""
