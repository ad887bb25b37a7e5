"""The registry: one key one meaning, and the person's own keys over it."""

from vram_tui.app.actions import ALL, BY_ID, Situation, footer_actions
from vram_tui.app.key_map import key_map


def test_no_two_actions_share_an_id_or_a_key() -> None:
    assert len(BY_ID) == len(ALL)
    keys = [key for action in ALL for key in action.keys]
    assert len(keys) == len(set(keys))


def test_keys_that_terminals_swallow_are_never_the_only_way() -> None:
    for action in ALL:
        fragile = [key for key in action.keys if key.startswith(("ctrl+", "alt+", "f1"))]
        assert action.id == "suspend" or len(fragile) < max(len(action.keys), 1) or not action.keys


def test_a_wish_takes_its_key_from_whoever_has_it() -> None:
    keys, faults = key_map({"quit": ("m",), "method": ("M",)})
    assert faults == ()
    assert keys.actions["m"] == "quit"
    assert keys.actions["M"] == "method"
    assert "q" not in keys.actions


def test_wishes_that_make_trouble_are_told() -> None:
    _, faults = key_map({"quitt": ("Q",), "sort": ("u",)})
    assert "did you mean quit?" in faults[0]
    assert "undo has no key left" in faults[1]


def test_the_footer_offers_only_what_works() -> None:
    offered = {action.id for action in footer_actions(Situation(marks=0))}
    assert "mark" in offered
    assert not offered & {"compare", "undo", "profile"}
    more = Situation(marks=2, can_undo=True, has_published=True, screens=frozenset({"compare"}))
    assert {"compare", "undo", "profile"} <= {action.id for action in footer_actions(more)}


def test_an_action_without_its_screen_says_so() -> None:
    assert BY_ID["hardware"].reason(Situation()) == "Hardware: not in this version yet"
