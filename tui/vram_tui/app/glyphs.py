"""The few signs that the screens use, each narrow in every terminal, with a plain twin for `--ascii`."""

from vram_tui.estimator.records import record


@record
class Glyphs:
    """All of them neutral or narrow in Unicode's East Asian width, so that columns stay straight everywhere."""

    differs: str = "≢"
    mark: str = "*"
    cursor: str = "▸"
    bar: str = "⠶"
    rest: str = "⠤"
    dot: str = "∙"
    more: str = "⋯"
    up: str = "▴"
    down: str = "▾"
    left: str = "◂"
    right: str = "▸"
    none: str = "-"
    fits: str = "▪"
    tight: str = "▫"
    offload: str = "◃"
    no: str = "✗"
    unicode: bool = True


UNICODE = Glyphs()
ASCII = Glyphs(
    differs="#",
    cursor=">",
    bar="=",
    rest=".",
    dot="-",
    more="~",
    up="^",
    down="v",
    left="<",
    right=">",
    fits="y",
    tight="~",
    offload="%",
    no="x",
    unicode=False,
)

FIT_WORDS = {"fits": "fits", "tight": "tight", "offload": "partial offload", "no": "does not fit"}
