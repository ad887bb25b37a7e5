"""`vram-tui validate`: every fault of a catalogue or a file with its mend; a sound file as it will be shown."""

from pathlib import Path
from typing import TYPE_CHECKING

from vram_tui.commands.common import Parser, add_common, print_json, print_table, workspace
from vram_tui.commands.errors import CommandError

if TYPE_CHECKING:
    import argparse


def run(name: str, argv: list[str]) -> int:
    parser = Parser(
        prog=f"vram-tui {name}",
        description="Check a catalogue: exit code 2 if anything is wrong. A sound file of a model or of accelerators "
        "is shown as the screen will show it, its parameters recounted, with what is missing.",
    )
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help="a catalogue folder or one TOML file (default: the shipped one, then yours)",
    )
    parser.add_argument("--id", default="", metavar="DEVICE", help="of a file of accelerators: show this one")
    add_common(parser)
    arguments = parser.parse_args(argv)
    from vram_tui.catalog.validate import validate

    places = _places(arguments)
    faults = [fault for place in places for fault in validate(place)]
    if arguments.json:
        print_json(
            [
                {"file": str(f.file), "line": f.line, "field": f.field, "message": f.message, "mend": f.mend}
                for f in faults
            ]
        )
        return 2 if faults else 0
    if not faults and places[0].is_file():
        _show(places[0], arguments)
    for fault in faults:
        print(fault)
    checked = ", ".join(str(place) for place in places)
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    print(count if faults else f"no faults in {checked}")
    return 2 if faults else 0


def _places(arguments: "argparse.Namespace") -> list[Path]:
    """What to check. Raises CommandError for a path that is not there."""
    from vram_tui.catalog.locate import catalog_root, user_accelerators_dir, user_models_dir

    if arguments.path is not None:
        if not arguments.path.exists():
            raise CommandError(f"{arguments.path}: no such file or folder", "path")
        return [arguments.path.resolve() if arguments.path.is_file() else arguments.path]
    models, accelerators = user_models_dir(), user_accelerators_dir()
    own = [models] if models and models.is_dir() else []
    own += sorted(accelerators.glob("*.toml")) if accelerators else []
    return [arguments.catalog or catalog_root(), *own]


def _show(path: Path, arguments: "argparse.Namespace") -> None:
    from vram_tui.catalog.validate import holds_accelerators
    from vram_tui.commands.reviewing import review_accelerators, review_model

    desk = workspace(arguments)
    if holds_accelerators(path):
        tables = review_accelerators(path, arguments.id, desk, arguments.units)
    else:
        tables = review_model(path, desk, arguments.units)
    for table in tables:
        print_table(table, arguments)
        print()
