"""A launch recipe as lines: the verdict, commands exactly as they are pasted, notes, and what would fit instead."""

from rich.cells import cell_len

from vram_tui.app.widgets.line_panel import EMPTY, Line, Run, fitted, wrapped
from vram_tui.app.widgets.sheet import Sheet, Stop
from vram_tui.estimator.records import record
from vram_tui.exporters.recipes import Recipe
from vram_tui.exporters.recipes.launch import Launch
from vram_tui.text import safe

COMMAND_CHARS = 8192
CONTINUED = "    "


@record
class Shown:
    """What stands on the sheet. `verdict` comes first with its style, `instead` is what would fit, `remark` a doubt."""

    launch: Launch
    verdict: str
    style: str
    remark: str = ""
    instead: tuple[str, ...] = ()


def folded(line: str, width: int) -> list[str]:
    """A command's line in pieces of at most `width` cells, later ones indented; nothing is lost."""
    pieces: list[str] = []
    rest = line
    while cell_len(rest) > width:
        cut = width
        while cell_len(rest[:cut]) > width:
            cut -= 1
        space = rest.rfind(" ", len(CONTINUED) + 1, cut)
        cut = space + 1 if space > width // 3 else cut
        pieces.append(rest[:cut])
        rest = CONTINUED + rest[cut:]
    return [*pieces, rest]


class RecipeSheet(Sheet):
    """Stops are the lines of what would fit, then the steps."""

    shown: Shown | None = None

    def content(self, width: int) -> tuple[list[Line], list[Stop]]:
        shown = self.shown
        if shown is None:
            return [], []
        lines: list[Line] = [(Run(line, shown.style),) for line in wrapped(shown.verdict, width)]
        lines += [(Run(line, "warn"),) for line in wrapped(shown.remark, width) if line]
        stops: list[Stop] = []
        for words in shown.instead:
            stops.append(Stop(len(lines), len(lines) + 1))
            lines.append((Run(fitted(f"would fit: {words}", width, self.glyphs.more)),))
        if shown.launch.recipe:
            lines.append(EMPTY)
            self._steps(shown.launch.recipe, width, lines, stops)
            for note in shown.launch.recipe.notes:
                lines += [(Run(line, "dim"),) for line in wrapped(f"{self.glyphs.dot} {note}", width)]
        return lines, stops

    def _steps(self, recipe: Recipe, width: int, lines: list[Line], stops: list[Stop]) -> None:
        style = "bold" if self.shown and self.shown.launch.fits is not False else ""
        for step in recipe.steps:
            first = len(lines)
            if step.comment:
                lines += [(Run(line, "dim"),) for line in wrapped(f"# {step.comment}", width)]
            for text in step.command.splitlines():
                pieces = folded(safe(text, COMMAND_CHARS), width)
                lines += [(Run(piece, style),) for piece in pieces]
            stops.append(Stop(first, len(lines)))
            lines.append(EMPTY)

    @property
    def instead(self) -> int | None:
        """The number of what would fit, where the cursor is on one."""
        return self.cursor if self.shown and self.cursor < len(self.shown.instead) else None

    def lit(self, line: Line, width: int) -> Line:
        """Steps are not marked: the whole recipe is what is copied."""
        return line if self.instead is None else super().lit(line, width)
