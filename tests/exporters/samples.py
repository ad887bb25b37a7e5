"""Tables and hostile texts that the exporters' tests share."""

from hypothesis import strategies as st

from vram_tui.exporters.table import Cell, Column, Mark, Table, nothing, number, words

MARKS = (
    Mark("consumer", "✓", "fits a 24 GB consumer GPU", "v"),
    Mark("datacenter", "+", "fits an 80 GB datacenter GPU", "+"),
    Mark("cluster", "»", "needs several GPUs or a cluster", ">"),
)
EVIL = "[red]\x1b[31m<b>&amp;|`rm`\u202e\u200b=1+1\r\n\x9b2J"
texts = st.text(st.characters(codec=None), max_size=40) | st.sampled_from([EVIL, "", "-x", "@a", "a|b", "]]>", "--"])
raws = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=True, allow_infinity=True) | texts
cells = st.builds(
    Cell, texts, raws, st.sampled_from(["", "consumer", "cluster", "?"]), st.sampled_from(["", "bold", "dim"])
)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = draw(
        st.lists(st.builds(Column, texts, st.sampled_from(["left", "right"]), texts, texts), min_size=1, max_size=5)
    )
    row = st.tuples(*[cells for _ in columns])
    return Table(
        draw(texts),
        tuple(columns),
        tuple(draw(st.lists(row, max_size=4))),
        tuple(draw(st.lists(texts, max_size=3))),
        MARKS,
    )


def gib(value: float, tier: str) -> Cell:
    return Cell(f"{value:.1f}", int(value * 2**30), tier)


GRID = Table(
    "Requirements",
    (
        Column("quantization"),
        Column("b/w", "right"),
        Column("1K", "right", "GiB", "bytes"),
        Column("32K", "right", "GiB", "bytes"),
        Column("evidence"),
    ),
    (
        (
            words("Q4_K_M"),
            number(4.83),
            gib(17.5, "consumer"),
            gib(1019.25, "cluster"),
            words("KLD 0.021 on a model of 30B"),
        ),
        (words("F16"), number(16.0, "16.00"), gib(56.25, "datacenter"), gib(1234.5, "cluster"), nothing()),
    ),
    ("llama.cpp, one sequence.",),
    MARKS,
)
