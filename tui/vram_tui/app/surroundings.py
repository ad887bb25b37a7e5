"""What the environment says about the terminal: whether it shows more than ASCII, and which colours it has."""

from collections.abc import Mapping

POOR_TERMS = ("linux", "dumb", "unknown", "vt100", "vt102", "vt220", "ansi", "cons25", "sun")
"""Terminals whose fonts hold a few hundred signs: borders and letters, not the signs of the dashboard."""


def ascii_only(environ: Mapping[str, str]) -> bool:
    """True where signs beyond ASCII would not be shown.

    A locale that is set to C or POSIX, or to a character set other than UTF-8, asks for ASCII; none at all does not:
    containers and logins without a locale mostly sit behind a terminal of today.
    """
    if environ.get("TERM", "") in POOR_TERMS:
        return True
    # CPython turns the C locale into LC_CTYPE=C.UTF-8 for its children and itself: that says nothing about a terminal.
    coerced = environ.get("LC_CTYPE") in ("C.UTF-8", "C.utf8", "UTF-8")
    names = ("LC_ALL", "LANG") if coerced else ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((value for name in names if (value := environ.get(name))), "")
    if not locale:
        return False
    charset = locale.partition("@")[0].partition(".")[2]
    if locale in ("C", "POSIX"):
        return True
    return bool(charset) and charset.lower().replace("-", "") != "utf8"


def few_colors(environ: Mapping[str, str]) -> bool:
    """True where the terminal names no more than sixteen colours."""
    if environ.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return False
    return environ.get("TERM", "").rpartition("-")[2] not in ("256color", "kitty", "direct")
