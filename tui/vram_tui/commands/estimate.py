"""`vram-tui estimate`: one cell term by term, or JSON Lines in and out."""

from vram_tui.commands.common import Parser, add_common, print_json, print_table, workspace
from vram_tui.commands.errors import CommandError
from vram_tui.commands.options import add_options, given
from vram_tui.commands.tables import estimate_table


def run(name: str, argv: list[str]) -> int:
    parser = Parser(prog=f"vram-tui {name}", description="One cell of the grid, term by term.")
    parser.add_argument(
        "model", nargs="?", metavar="MODEL", help="catalogue id or part of it, .gguf, config.json, folder"
    )
    parser.add_argument("--batch", metavar="FILE", help="JSON Lines in (`-`: standard input), JSON Lines out")
    add_common(parser)
    add_options(parser)
    arguments = parser.parse_args(argv)
    if arguments.batch:
        if arguments.model:
            raise CommandError("--batch takes its models from the lines; leave MODEL out", "model")
        from vram_tui.commands.batch import answer_batch

        answer_batch(arguments, arguments.batch)
        return 0
    if not arguments.model:
        raise CommandError("give a MODEL, or --batch FILE", "model")
    desk = workspace(arguments)
    options = given(vars(arguments))
    answer = desk.answer(arguments.model, options)
    if arguments.json:
        print_json(answer.to_json())
    else:
        print_table(estimate_table(answer, desk.facts, arguments.units), arguments)
    return 1 if answer.fits is False else 0
