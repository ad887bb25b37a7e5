"""Markdown for generated pages: tables whose cells may hold code, and the line that says where a page comes from."""

from collections.abc import Iterable, Sequence

NOTICE = "<!-- Written by `python -m scripts.generate`: edit the code it is read from, not this page. -->"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; a bar inside a cell stays text."""
    lines = [headings, ["---"] * len(headings), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines]


def code(text: str) -> str:
    """Text as code, also where it holds a backtick."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


def document(title: str, *parts: Iterable[str]) -> str:
    """A whole page from its parts, each a run of lines."""
    lines = [f"# {title}", "", NOTICE, ""]
    for part in parts:
        lines += [*part, ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def filled(text: str, name: str, content: str) -> str:
    """The text with what stands between `<!-- name:begin -->` and `<!-- name:end -->` replaced; as it is without."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, mark, rest = text.partition(begin)
    _, closing, after = rest.partition(end)
    return f"{before}{begin}\n{content.strip()}\n{end}{after}" if mark and closing else text
