"""`vram-tui` alone: what a start without arguments takes for granted."""

from vram_tui.commands.dashboard import NOTHING_SAID, parser


def test_no_arguments_mean_what_the_parser_makes_of_them() -> None:
    assert vars(NOTHING_SAID) == vars(parser().parse_args([]))
