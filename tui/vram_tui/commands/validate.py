"""`vram-tui validate`: check a catalogue folder or one file; every fault with file, line, field and mend."""

from pathlib import Path

from vram_tui.commands.common import Parser, add_common, print_json
from vram_tui.commands.errors import CommandError


def run(name: str, argv: list[str]) -> int:
    parser = Parser(prog=f"vram-tui {name}", description="Check a catalogue: exit code 2 if anything is wrong.")
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help="a catalogue folder or one TOML file (default: the shipped one, then yours)",
    )
    add_common(parser)
    arguments = parser.parse_args(argv)
    from vram_tui.catalog.locate import catalog_root, user_models_dir
    from vram_tui.catalog.validate import validate

    if arguments.path is not None:
        if not arguments.path.exists():
            raise CommandError(f"{arguments.path}: no such file or folder", "path")
        places = [arguments.path]
    else:
        own = user_models_dir()
        places = [arguments.catalog or catalog_root(), *([own] if own and own.is_dir() else [])]
    faults = [fault for place in places for fault in validate(place)]
    if arguments.json:
        print_json(
            [
                {"file": str(f.file), "line": f.line, "field": f.field, "message": f.message, "mend": f.mend}
                for f in faults
            ]
        )
    else:
        for fault in faults:
            print(fault)
        checked = ", ".join(str(place) for place in places)
        print(f"{len(faults)} faults" if faults else f"no faults in {checked}")
    return 2 if faults else 0
