"""Themes and the palette of named styles that every line-drawn widget takes its colours from."""

from collections.abc import Mapping

from rich.color import Color as RichColor
from rich.style import Style
from textual.color import Color
from textual.theme import Theme

TIERS = 3
LINES = 6


def _variables(tiers: tuple[str, ...], grounds: tuple[str, ...], lines: tuple[str, ...], **more: str) -> dict[str, str]:
    found = {f"tier-{index}": color for index, color in enumerate(tiers)}
    found |= {f"tier-{index}-ground": color for index, color in enumerate(grounds)}
    found |= {f"line-{index}": color for index, color in enumerate(lines)}
    return found | {name.replace("_", "-"): color for name, color in more.items()}


NIGHT = Theme(
    name="night",
    primary="#6cb6ff",
    secondary="#5eead4",
    warning="#fbbf24",
    error="#f9a8d4",
    success="#5eead4",
    accent="#6cb6ff",
    foreground="#d6dee8",
    background="#0c1219",
    surface="#0c1219",
    panel="#141c26",
    dark=True,
    variables=_variables(
        ("#6ef0d8", "#fcc63f", "#fba9d6"),
        ("#113a38", "#3d300f", "#42233a"),
        ("#6cb6ff", "#5eead4", "#fbbf24", "#f9a8d4", "#c4b5fd", "#a3e635"),
        dim="#8592a1",
        rule="#2b3644",
        cursor="#1d3550",
        bar_weights="#4d79b8",
        bar_kv="#5eead4",
        bar_state="#c4b5fd",
        bar_compute="#fbbf24",
        bar_runtime="#8592a1",
    ),
)

DAY = Theme(
    name="day",
    primary="#0b5cad",
    secondary="#00695c",
    warning="#8a5a00",
    error="#a3195b",
    success="#00695c",
    accent="#0b5cad",
    foreground="#1c2530",
    background="#fbfaf7",
    surface="#fbfaf7",
    panel="#eceae4",
    dark=False,
    variables=_variables(
        ("#00594f", "#734900", "#97124f"),
        ("#cdeee8", "#fbe7b8", "#fad7e6"),
        ("#0b5cad", "#00796b", "#9a6700", "#b0236a", "#6d3fc0", "#4d7c0f"),
        dim="#5b6673",
        rule="#c9c6bd",
        cursor="#d3e4f7",
        bar_weights="#3f74b5",
        bar_kv="#00897b",
        bar_state="#7c4dff",
        bar_compute="#c78500",
        bar_runtime="#79838f",
    ),
)

SAFE = Theme(
    name="colour-safe",
    primary="#7cc4ff",
    secondary="#7cc4ff",
    warning="#f0e442",
    error="#ff9a5c",
    success="#7cc4ff",
    accent="#f5f5f5",
    foreground="#e2e6ea",
    background="#101214",
    surface="#101214",
    panel="#1a1d21",
    dark=True,
    variables=_variables(
        ("#8fd0ff", "#f5ea62", "#ffab76"),
        ("#12324d", "#3b390f", "#4d2410"),
        ("#56b4e9", "#f0e442", "#ff8c42", "#ffffff", "#c0a8ff", "#9ad1c8"),
        dim="#98a1aa",
        rule="#3a4047",
        cursor="#2c3a4a",
        bar_weights="#3f7fb5",
        bar_kv="#f0e442",
        bar_state="#c0a8ff",
        bar_compute="#ff8c42",
        bar_runtime="#98a1aa",
    ),
)

OURS = (NIGHT, DAY, SAFE)
NAMES = (*(theme.name for theme in OURS), "ansi-dark", "ansi-light", "nord", "gruvbox", "solarized-light")
DEFAULT = NIGHT.name
ANSI = "ansi-dark"
"""The theme of terminals with sixteen colours or none."""

_ANSI = {
    "tier-0": "ansi_green",
    "tier-1": "ansi_yellow",
    "tier-2": "ansi_magenta",
    "line-0": "ansi_blue",
    "line-1": "ansi_green",
    "line-2": "ansi_yellow",
    "line-3": "ansi_magenta",
    "line-4": "ansi_cyan",
    "line-5": "ansi_red",
    "bar-weights": "ansi_blue",
    "bar-kv": "ansi_cyan",
    "bar-state": "ansi_magenta",
    "bar-compute": "ansi_yellow",
    "bar-runtime": "ansi_bright_black",
}


class Palette:
    """Named styles of one theme: `palette["dim"]`, `palette["tier-1"]`.

    Without colour (`plain`) the same names differ by bold, dim, underline and reverse alone.
    """

    def __init__(self, variables: Mapping[str, str], *, ansi: bool = False, plain: bool = False) -> None:
        self._variables = variables
        self._ansi = ansi
        self._plain = plain
        self._styles: dict[str, Style] = {}
        self._on: dict[tuple[str, str], Style] = {}
        self._build()

    def __getitem__(self, name: str) -> Style:
        return self._styles.get(name) or self._styles[""]

    def on(self, name: str, ground: str) -> Style:
        """A named style on one of the theme's grounds, where it has none of its own."""
        key = (name, ground)
        found = self._on.get(key)
        if found is None:
            own = self[name]
            color = "" if self._plain or own.bgcolor or own.reverse else self.color(ground)
            found = self._on[key] = Style(bgcolor=color) + own if color and color != "default" else own
        return found

    def color(self, *names: str) -> str:
        """The first of the theme variables that is set, as a style of Rich takes it."""
        for name in names:
            if self._ansi and name in _ANSI:
                return _ANSI[name].removeprefix("ansi_")
            value = self._variables.get(name, "")
            if value.startswith("ansi_"):
                return value.removeprefix("ansi_")
            if value and (color := Color.parse(value)).a:
                return color.hex6
        return "default"

    def _ground(self, index: int, color: str) -> str:
        if own := self._variables.get(f"tier-{index}-ground"):
            return own
        if self._ansi:
            return "default"
        background = Color.parse(self.color("background"))
        return background.blend(Color.parse(color), 0.2).hex6

    def _build(self) -> None:
        styles, plain = self._styles, self._plain
        accent, text = self.color("primary"), self.color("foreground")

        def style(name: str, color: str, *, ground: str = "", bold: bool = False, reverse: bool = False) -> None:
            styles[name] = _style("" if plain else color, "" if plain else ground, bold=bold, reverse=reverse)

        dim = self.color("dim") if self._variables.get("dim") else None
        if plain:
            styles["dim"] = Style(dim=True)
            styles["rule"] = Style(dim=True)
        elif self._ansi:
            style("dim", "bright_black")
            style("rule", "bright_black")
        else:
            fallback = Color.parse(text).blend(Color.parse(self.color("background")), 0.4).hex6
            style("dim", dim or fallback)
            style("rule", self.color("rule", "surface-lighten-2"))
        style("", text)
        style("bold", text, bold=True)
        style("accent", accent)
        style("family", self.color("dim") if not (self._ansi or plain) else text, bold=True)
        style("key", accent, bold=True)
        style("link", accent)
        style("warn", self.color("warning"), bold=plain)
        style("error", self.color("error"), bold=True)
        style("good", self.color("success"), bold=plain)
        if self._ansi or plain:
            styles["cursor"] = Style(reverse=True, bold=True)
            styles["cursor-blur"] = Style(bold=True, underline=True)
        else:
            ground = self.color("cursor", "primary-muted", "surface-lighten-1")
            style("cursor", text, ground=ground, bold=True)
            style("cursor-blur", text, ground=self.color("panel"), bold=True)
        self._build_fits()
        background = self.color("background")
        for name, color, bold in (
            ("brand", self.color("primary"), True),
            *((f"badge-{index}", self.color(of), False) for index, of in enumerate(("primary", "warning", "success"))),
        ):
            if self._ansi:  # bold black is grey in many a terminal
                style(name, color, bold=bold, reverse=True)
            else:
                style(name, background, ground=color, bold=bold, reverse=plain)
        for group in ("weights", "kv", "state", "compute", "runtime"):
            style(f"bar-{group}", self.color(f"bar-{group}", "primary"))
        for index in range(LINES):
            style(f"line-{index}", self.color(f"line-{index}", "primary"))

    def _build_fits(self) -> None:
        names = ("success", "warning", "error")
        for index in range(TIERS):
            color = self.color(f"tier-{index}", names[index])
            ground = self._ground(index, color)
            plain = self._plain
            self._styles[f"tier-{index}"] = _style("" if plain else color, "" if plain else ground)
            self._styles[f"mark-{index}"] = _style("" if plain else color, "", bold=True)
            self._styles[f"cursor-{index}"] = self._styles["cursor"] + self._styles[f"mark-{index}"]
            if plain:
                self._styles[f"tier-{index}-cursor"] = Style(reverse=True, bold=True)
                self._styles[f"tier-{index}-cursor-off"] = Style(underline=True, bold=True)
                self._styles[f"tier-{index}-dim"] = Style(dim=True)
                continue
            if self._ansi:
                self._styles[f"tier-{index}-cursor"] = _style(color, "", bold=True, reverse=True)
                self._styles[f"tier-{index}-cursor-off"] = _style(color, ground, bold=True, underline=True)
                self._styles[f"tier-{index}-dim"] = _style("bright_black", "")
            else:
                self._styles[f"tier-{index}-cursor"] = _style(self.color("background"), color, bold=True)
                bright = Color.parse(ground).blend(Color.parse(color), 0.3).hex6
                self._styles[f"tier-{index}-cursor-off"] = _style(self.color("foreground"), bright, bold=True)
                faint = Color.parse(color).blend(Color.parse(self.color("background")), 0.42).hex6
                self._styles[f"tier-{index}-dim"] = _style(faint, ground)


def _style(color: str, ground: str, *, bold: bool = False, underline: bool = False, reverse: bool = False) -> Style:
    def known(name: str) -> RichColor | None:
        return RichColor.parse(name) if name and name != "default" else None

    return Style(
        color=known(color),
        bgcolor=known(ground),
        bold=bold or None,
        underline=underline or None,
        reverse=reverse or None,
    )
