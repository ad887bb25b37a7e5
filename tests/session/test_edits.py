"""Edits: done or refused with a reason, undone and redone."""

import pytest

from vram_tui.estimator.facts import Format
from vram_tui.session import edits
from vram_tui.session.edits import EditError, History
from vram_tui.session.state import NATIVE, Row, Session

FORMATS = {name: Format(name, name, "gguf", 4.5, ("llama.cpp",)) for name in ("Q4_K_M", "Q8_0", "IQ4_XS")}


def test_a_context_goes_after_the_selected_column_and_is_selected() -> None:
    session = edits.add_context(Session(column=1), "64K")
    assert session.grid.contexts == (1024, 8192, 65536, 32768, 131072, NATIVE)
    assert session.selected_context == 65536


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("32K", "column already"),
        ("zebra", "write tokens"),
        ("0", "at least 1"),
        ("-1", "write tokens"),
        ("9999M", "beyond"),
    ],
)
def test_a_bad_context_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(EditError, match=reason):
        edits.add_context(Session(), text)


def test_a_row_is_a_known_format_in_any_case_or_bits_per_weight() -> None:
    assert edits.read_row("q4_k_m", FORMATS) == Row("Q4_K_M")
    assert edits.read_row("4.25", FORMATS).asked == "bpw:4.25"
    assert edits.read_row("bpw:3", FORMATS).label == "custom"
    with pytest.raises(EditError, match="did you mean Q4_K_M"):
        edits.read_row("Q4KM", FORMATS)
    with pytest.raises(EditError, match=r"between 0\.5 and 64"):
        edits.read_row("nan", FORMATS)


def test_own_bits_of_a_row_are_asked_for_and_taken_back() -> None:
    session = edits.set_bits(Session(), 3, "4.5")
    assert session.grid.rows[3].asked == "bpw:4.5"
    assert session.grid.rows[3].label == "Q4_K_M"
    assert edits.set_bits(session, 3, "").grid == Session().grid


def test_the_last_row_and_the_last_column_stay() -> None:
    session = Session()
    for _ in session.grid.rows[1:]:
        session = edits.delete_row(session, 0)
    with pytest.raises(EditError, match="last row stays"):
        edits.delete_row(session, 0)
    for _ in Session().grid.contexts[1:]:
        session = edits.delete_context(session, 0)
    with pytest.raises(EditError, match="last column stays"):
        edits.delete_context(session, 0)
    assert (session.row, session.column) == (0, 0)


def test_rows_and_columns_move_with_the_selection_and_stop_at_the_ends() -> None:
    session = edits.move_row(Session(row=3), 3, -1)
    assert session.grid.rows[2].quant == "Q4_K_M"
    assert session.row == 2
    with pytest.raises(EditError, match="end already"):
        edits.move_context(Session(), 0, -1)


@pytest.mark.parametrize(
    ("change", "text"),
    [(edits.set_kv, "q9"), (edits.set_sequences, "0"), (edits.set_sequences, "many"), (edits.set_overhead, "300"),
     (edits.set_ubatch, "1.5"), (edits.set_method, "guess")],
)  # fmt: skip
def test_a_bad_chip_is_refused(change: object, text: str) -> None:
    assert callable(change)
    with pytest.raises(EditError):
        change(Session(), text)


def test_cache_types_are_set_together_or_apart() -> None:
    assert edits.set_kv(Session(), "q8_0").scenario.kv_v == "q8_0"
    apart = edits.set_kv(Session(), "q8_0:q4_0").scenario
    assert (apart.kv_k, apart.kv_v) == ("q8_0", "q4_0")


def test_undo_takes_back_edits_and_leaves_the_eyes_where_they_are() -> None:
    history = History(Session(model="a"))
    history = history.edited(edits.set_sequences(history.present, "4"))
    history = history.seen(edits.toggle_mark(history.present, "a"))
    history = history.undone()
    assert history.present.scenario.seqs == 1
    assert history.redone().present.scenario.seqs == 4
    with pytest.raises(EditError, match="nothing to undo"):
        history.undone()


def test_a_step_that_changes_nothing_is_no_step() -> None:
    history = History(Session())
    assert not history.edited(edits.set_sequences(history.present, "1")).past


def test_grids_are_kept_under_names() -> None:
    session = edits.save_grid(Session(), "mine")
    other = edits.delete_row(session, 0)
    assert edits.use_grid(other, "mine").grid == session.grid
    with pytest.raises(EditError, match="there are mine"):
        edits.use_grid(other, "theirs")
