"""What newer Pythons do otherwise: from 3.12 on tasks begin at once, so widgets stand before their screen does."""

from tests.app.conftest import MakeApp


def test_a_field_may_be_mounted_before_the_first_screen(make_app: MakeApp) -> None:
    app = make_app("Qwen/Qwen3-8B")
    assert not app.screen_stack
    app.clear_selection()
