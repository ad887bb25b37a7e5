"""Every action of the dashboard, once: keys, footer, palette, help, key map and documentation come from here."""

from collections.abc import Callable, Iterable, Mapping

from vram_tui.estimator.records import record


@record
class Situation:
    """What decides whether an action can be done now."""

    screen: str = "explore"
    screens: frozenset[str] = frozenset()
    """Names of the screens that this version has."""
    marks: int = 0
    can_undo: bool = False
    can_redo: bool = False
    has_published: bool = False
    restricted: bool = False
    models: int = 1
    panels: int = 2
    opens: bool = True
    """Whether `enter` does anything here."""


Condition = Callable[[Situation], str | None]
"""None: it can be done. A text: why not, told to whoever presses the key."""


def _some_model(situation: Situation) -> str | None:
    return None if situation.models else "no model matches the filter"


def _panels(situation: Situation) -> str | None:
    return None if situation.panels > 1 else "this screen has one panel"


def _opens(situation: Situation) -> str | None:
    return None if situation.opens else "nothing to open here"


def _undo(situation: Situation) -> str | None:
    return None if situation.can_undo else "nothing to undo"


def _redo(situation: Situation) -> str | None:
    return None if situation.can_redo else "nothing to redo"


def _published(situation: Situation) -> str | None:
    return None if situation.has_published else "this model has no published profile beside the verified one"


def _unrestricted(situation: Situation) -> str | None:
    return "not in restricted mode" if situation.restricted else None


@record
class Action:
    """One thing a person can do.

    `keys` are typed characters or key names (`enter`, `ctrl+p`); `word` is the footer's short name and `rank` its
    place there (0: never in the footer, 1 stays longest); `screens` limits where it means something (empty:
    everywhere); `opens` names the screen it opens.
    """

    id: str
    keys: tuple[str, ...]
    title: str
    help: str
    group: str
    word: str = ""
    rank: int = 0
    screens: tuple[str, ...] = ()
    opens: str = ""
    condition: Condition | None = None

    @property
    def method(self) -> str:
        """The name of the method that does it, on a widget, a screen or the app."""
        return "do_" + self.id.replace("-", "_")

    @property
    def depends(self) -> bool:
        """Whether it may be impossible now. Moves may not: they wait for no situation, which reads an entry."""
        return bool(self.screens or self.opens or self.condition)

    def reason(self, situation: Situation) -> str | None:
        """Why it cannot be done now; None if it can."""
        if self.screens and situation.screen not in self.screens:
            return f"{self.title}: not on this screen"
        if self.opens and self.opens == situation.screen:
            return f"{self.title}: this is it"
        if self.opens and self.opens not in situation.screens:
            return f"{self.title}: not in this version yet"
        return self.condition(situation) if self.condition else None


MOVE, LOOK, ASK = "Move", "Look", "Ask"
EDIT, SHARE, APP = "Edit the scenario and the grid", "Bring in, take out", "Program"

GRIDS = ("explore", "compare", "hardware", "what-fits")
FIGURES = (*GRIDS, "plot", "about")
"""Screens with figures under a cursor."""
ALL_OF_A_MODEL = (*FIGURES, "explain", "recipe", "plan")

# fmt: off
ALL: tuple[Action, ...] = (
    Action("up", ("up",), "Up", "One line up.", MOVE, "", 0),
    Action("down", ("down",), "Down", "One line down.", MOVE),
    Action("left", ("left",), "Left", "One column to the left.", MOVE),
    Action("right", ("right",), "Right", "One column to the right.", MOVE),
    Action("page-up", ("pageup",), "Page up", "One page up.", MOVE),
    Action("page-down", ("pagedown",), "Page down", "One page down.", MOVE),
    Action("first", ("home",), "First", "To the first line or column.", MOVE),
    Action("last", ("end",), "Last", "To the last line or column.", MOVE),
    Action("next-panel", ("tab",), "Next panel", "To the next panel of the screen.", MOVE, "panel", 13,
           condition=_panels),
    Action("previous-panel", ("shift+tab",), "Previous panel", "To the panel before.", MOVE),
    Action("open", ("enter",), "Open or edit", "Open what the cursor is on; edit a heading or a chip; explain a "
           "figure.", MOVE, "open", 1, condition=_opens),
    Action("back", ("escape",), "Back", "Cancel what runs, leave the field, clear the filter, leave the screen.",
           MOVE),
    Action("filter", ("/",), "Filter", "Words, and conditions such as >30b, <=24gib, moe, ctx>=128k, licence:mit. "
           "Arrows move the list meanwhile.", LOOK, "filter", 2, ("explore", "hardware", "what-fits")),
    Action("sort", ("s",), "Sort", "By family, release, parameters, memory or best fit.", LOOK, "sort", 14,
           ("explore", "hardware", "what-fits")),
    Action("family", ("o",), "Others of this family", "Show the other models of the family alone; again shows all.",
           LOOK, "family", 15, ("explore",), condition=_some_model),
    Action("mark", ("space",), "Mark", "Mark the model for a comparison, or unmark it; a line of the plot: show or "
           "hide it.", LOOK, "mark", 5, ("explore", "what-fits", "plot", "about"), condition=_some_model),
    Action("show-grid", ("1",), "Show the grid", "The requirements grid.", LOOK, "", 0, ("explore",)),
    Action("show-spec", ("2",), "Show the specifications", "Specifications, about, sources.", LOOK, "", 0,
           ("explore",) ),
    Action("show-plot", ("3",), "Show the plot", "The plot beside the list.", LOOK, "", 0, ("explore",)),
    Action("plot", ("p",), "Plot", "Memory against context, with a cursor that reads every line.", LOOK, "plot", 11,
           ("explore", "compare"), "plot", _some_model),
    Action("about", ("O",), "About this model", "Its family, their releases, and the published figures beside the "
           "verified ones.", LOOK, "about", 15, ("explore", "compare"), "about", _some_model),
    Action("differences", ("d",), "Differences only", "Hide the lines on which all columns say the same.", LOOK,
           "differences", 4, ("compare",)),
    Action("edit", ("e",), "Edit", "Edit what the cursor is on: a context, a quantization, its bits, a chip; in "
           "a ranking the format and the context.", EDIT,
           "edit", 3, (*GRIDS, "export", "import")),
    Action("add", ("a",), "Add", "A context on the heading line, a quantization below it; a model when comparing.",
           EDIT, "add", 8, ("explore", "compare")),
    Action("remove", ("-", "delete"), "Remove", "The column on the heading line, else the row; a model when comparing.",
           EDIT, "remove", 16, ("explore", "compare")),
    Action("earlier", ("<",), "Move before", "The column to the left, or the row up.", EDIT, "", 0, ("explore",
           "compare") ),
    Action("later", (">",), "Move after", "The column to the right, or the row down.", EDIT, "", 0, ("explore",
           "compare") ),
    Action("row-runtime", ("R",), "Runtime of the row", "A runtime for this row alone; empty takes the scenario's.",
           EDIT, "", 0, ("explore",)),
    Action("scenario", ("n",), "Scenario", "To the scenario: runtime, method, cache types, sequences, ubatch, "
           "target.", EDIT, "scenario", 17, ALL_OF_A_MODEL),
    Action("method", ("m",), "Method", "Exact, bytes per weight, or the difference of the two.", EDIT, "method", 12,
           ("explore", "compare", "explain", "plot")),
    Action("profile", ("v",), "Published or verified", "Reckon with the published profile or the verified one.", EDIT,
           "published", 10, ("explore", "compare", "explain", "plot"), condition=_published),
    Action("units", ("b",), "Units", "GiB or GB.", EDIT, "", 0),
    Action("target", ("t",), "Target machine", "The machine to judge against, such as 2x rtx-3090 or 24GiB.", EDIT,
           "target", 9, ALL_OF_A_MODEL),
    Action("free", ("F",), "Free memory", "Judge against the memory that is free now, or against all of it.", EDIT,
           "", 0, ALL_OF_A_MODEL),
    Action("undo", ("u",), "Undo", "Take back the last edit.", EDIT, "undo", 18, condition=_undo),
    Action("redo", ("U",), "Redo", "Do it again.", EDIT, "", 0, condition=_redo),
    Action("save-grid", ("S",), "Save under a name", "Keep the grid's rows and columns, or the comparison, under a "
           "name.", EDIT, "", 0, ("explore", "compare")),
    Action("use-grid", ("L",), "Load by name", "Bring back a grid or a comparison saved under a name.", EDIT, "", 0,
           ("explore", "compare")),
    Action("reset-grid", (), "Reset the grid", "The rows and columns of a first start; undo brings yours back.", EDIT,
           "", 0, ("explore",)),
    Action("explain", ("=",), "Explain", "Where the figure under the cursor comes from, term by term.", ASK,
           "explain", 4, FIGURES, "explain", _some_model),
    Action("compare", ("c",), "Compare", "The marked models side by side; without a mark the one in view, to add "
           "others to.", ASK, "compare", 6, ("explore", "what-fits", "about"), "compare", _some_model),
    Action("hardware", ("g",), "Hardware", "Which machines run this cell, ranked.", ASK, "hardware", 7, GRIDS,
           "hardware", _some_model),
    Action("what-fits", ("w",), "What fits", "Which models a machine runs, ranked.", ASK, "what fits", 8, GRIDS,
           "what-fits"),
    Action("flip", ("f",), "Flip the axis", "Contexts for one quantization, or quantizations for one context.", ASK,
           "flip", 3, ("compare",)),
    Action("recipe", ("r",), "Launch recipe", "The command that runs this cell.", ASK, "recipe", 19, (*GRIDS,
           "explain"), "recipe", _some_model),
    Action("import", ("i",), "Import", "A GGUF file, a configuration or a model folder into your catalogue.", SHARE,
           "import", 21, ALL_OF_A_MODEL, "import", _unrestricted),
    Action("export", ("x",), "Export", "The table on the screen as Markdown, CSV, JSON, TOML or SVG.", SHARE,
           "export", 20, GRIDS, "export"),
    Action("copy", ("y",), "Copy", "The figure or the table to the clipboard, also over SSH.", SHARE, "copy", 22),
    Action("theme", ("T",), "Theme", "The next theme; one is safe for red-green blindness.", APP),
    Action("palette", (":", "ctrl+p"), "Find an action", "Every action by name.", APP, "palette", 23),
    Action("keys", ("?",), "Keys", "The whole key map.", APP, "keys", 1),
    Action("notices", ("!",), "Notices", "What was wrong at the start, in full: settings, your models, your session.",
           APP, opens="notices"),
    Action("suspend", ("ctrl+z",), "Suspend", "Back to the shell; fg returns.", APP, condition=_unrestricted),
    Action("quit", ("q",), "Quit", "Save and leave.", APP, "quit", 24),
)
# fmt: on

BY_ID: Mapping[str, Action] = {action.id: action for action in ALL}


def footer_actions(situation: Situation) -> Iterable[Action]:
    """The actions that the footer offers now, in the order of their use."""
    possible = (action for action in ALL if action.rank and action.reason(situation) is None)
    return sorted(possible, key=lambda action: action.rank)
