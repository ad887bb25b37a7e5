"""The last line: the keys that work now, in the order of their use, or a sentence for the person."""

from textual import events

from vram_tui.app.actions import Situation, footer_actions
from vram_tui.app.house import house
from vram_tui.app.widgets.line_panel import Line, LinePanel, Run, fitted

FIELD_KEYS = (("enter", "accept"), ("esc", "cancel"))


class Footer(LinePanel, can_focus=False):
    """Drops keys from the end until the rest fits; `?` always stays."""

    GROUND = "panel"
    message: tuple[str, bool] | None = None
    field_hint = ""
    _drawn_for: object = None

    def draw(self) -> None:
        if self.is_attached and self.size.width:
            situation, width = house(self.app).situation, self.size.width
            asked = (self.message, self.field_hint, situation, width)
            if asked != self._drawn_for:
                self._drawn_for = asked
                self.show([self._line(situation, width)])

    def _line(self, situation: Situation, width: int) -> Line:
        if self.message:
            text, bad = self.message
            sign = "! " if bad else ""
            return (Run(" "), Run(fitted(sign + text, width - 2, self.glyphs.more), "error" if bad else "good"))
        if self.field_hint:
            keys = [*FIELD_KEYS]
            hint = [Run(" " + fitted(self.field_hint, width - 28, self.glyphs.more), "dim")]
            return (Run(" "), *_keys(keys), *hint)
        home = house(self.app)
        away = situation.screen != "explore"
        keys_first: list[tuple[str, str]] = [(home.key_map.key_of("back"), "back")] if away else []
        help_key = (home.key_map.key_of("keys"), "keys")
        room = width - 2 - _width([help_key])
        for action in footer_actions(situation):
            key = home.key_map.key_of(action.id)
            pair = (key, action.word)
            if not key or action.id == "keys":
                continue
            if _width([*keys_first, pair]) > room:
                break
            keys_first.append(pair)
        return (Run(" "), *_keys([*keys_first, help_key]))

    def on_click(self, event: events.Click) -> None:
        x, home = event.x, house(self.app)
        at = 1
        for run_key, run_word in zip(self.lines[0][1::2], self.lines[0][2::2], strict=False):
            end = at + len(run_key.text) + len(run_word.text)
            if at <= x < end:
                if run_word.text.strip() == "back":
                    home.perform("back")
                    return
                for action in footer_actions(home.situation):
                    if action.word == run_word.text.strip():
                        home.perform(action.id)
                        return
            at = end


def _width(keys: list[tuple[str, str]]) -> int:
    return sum(len(key) + len(word) + 3 for key, word in keys)


def _keys(keys: list[tuple[str, str]]) -> list[Run]:
    return [run for key, word in keys for run in (Run(key, "key"), Run(f" {word}  ", "dim"))]
