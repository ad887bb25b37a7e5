"""Make text that came from a file harmless to print: every room may import this."""

LIMIT_CHARS = 500

# Letters and marks that Unicode calls printable though they draw nothing: joiners, fillers, selectors.
_BLANK = frozenset(map(chr, (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0))) | frozenset(
    map(chr, (*range(0x180B, 0x1810), *range(0xE0100, 0xE01F0)))
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _shown(character: str) -> str:
    if character.isprintable() and character not in _BLANK:
        return character
    code = ord(character)
    if code < 0x100:
        return _SHORT.get(character, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def safe(text: str, limit: int = LIMIT_CHARS) -> str:
    r"""Return ``text`` on one line of at most ``limit`` characters, with nothing hidden in it.

    Control, bidirectional, zero-width, blank, unassigned and line-breaking characters become visible
    escapes (``\x1b``, ``\u202e``); a longer text ends in ``…``. The work is bounded by ``limit``, not
    by the length of the text, and ``safe(safe(x)) == safe(x)``.
    """
    if len(text) <= limit and text.isprintable() and (text.isascii() or _BLANK.isdisjoint(text)):
        return text
    shown = "".join(map(_shown, text[: max(limit, 0)]))
    if len(text) <= limit and len(shown) <= limit:
        return shown
    return shown[: limit - 1] + "…" if limit > 0 else ""
