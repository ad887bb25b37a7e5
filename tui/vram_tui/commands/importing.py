"""`vram-tui import`: read a model file, a configuration or a repository, show it, write it to your catalogue."""

import argparse
from typing import TYPE_CHECKING

from vram_tui.commands.common import Parser, add_common, print_json, print_table, workspace
from vram_tui.commands.errors import CommandError, NothingFoundError
from vram_tui.exporters.table import Column, Table, number, words
from vram_tui.quantities import format_memory, unit_label
from vram_tui.text import safe

if TYPE_CHECKING:
    from vram_tui.importers.caches import LocalModel
    from vram_tui.importers.preview import Preview


def run(name: str, argv: list[str]) -> int:
    parser = Parser(prog=f"vram-tui {name}", description="Read the headers of a model and add it to your catalogue.")
    parser.add_argument(
        "source",
        nargs="?",
        metavar="PATH|hub:ORG/NAME",
        help=".gguf (any part of a set), config.json, model folder, .safetensors, hub:ORG/NAME[/FILE.gguf]",
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be written; write nothing")
    parser.add_argument("--id", default="", metavar="VENDOR/MODEL", help="the id to give it")
    parser.add_argument("--replace", action="store_true", help="replace your entry of that id")
    parser.add_argument(
        "--from-caches",
        action="store_true",
        help="list the models that Ollama, LM Studio, llama.cpp and the hub keep here; with a name, import that one",
    )
    parser.add_argument("--restricted", action="store_true", help="kiosk: refuse to import")
    add_common(parser)
    arguments = parser.parse_args(argv)
    if arguments.restricted:
        raise CommandError("import is off in restricted mode", "restricted")
    if arguments.from_caches and not arguments.source:
        return _list_caches(arguments)
    if not arguments.source:
        raise CommandError("give a PATH or hub:ORG/NAME, or --from-caches", "source")
    return _import(arguments)


def _import(arguments: argparse.Namespace) -> int:
    from vram_tui.importers.preview import preview, save

    desk = workspace(arguments)
    reference, label = arguments.source, ""
    if arguments.from_caches:
        local = _pick(arguments.source)
        reference, label = str(local.path), local.name
    shown = preview(reference, desk.facts, known=arguments.id, label=label)
    written = False
    if not arguments.dry_run:
        if shown.exists and not arguments.replace:
            raise CommandError(f"{shown.path} exists already: give --replace, or another --id", "id")
        save(shown, overwrite=arguments.replace)
        written = True
    if arguments.json:
        print_json({**shown.to_json(), "written": written})
    else:
        print_table(_table(shown, arguments.units, written), arguments)
        if arguments.dry_run:
            print(f"\n{shown.toml}", end="")
    return 0


def _table(shown: "Preview", unit: str, written: bool) -> Table:
    columns = (Column("read"), Column("value"))
    rows = tuple((words(what), words(value)) for what, value in shown.rows(unit))
    place = f"written to {shown.path}" if written else f"nothing is written; it would go to {shown.path}"
    return Table(shown.entry.name, columns, rows, (*shown.found.notes, place))


def _caches() -> "tuple[LocalModel, ...]":
    from vram_tui.importers.caches import found

    models = found()
    if not models:
        raise NothingFoundError("no models in the caches of Ollama, LM Studio, llama.cpp or the hub", "from_caches")
    return models


def _pick(text: str) -> "LocalModel":
    """The local model of that name, or the only one that has it in its name."""
    models = _caches()
    wanted = text.casefold()
    for chosen in (
        [model for model in models if model.name.casefold() == wanted],
        [model for model in models if wanted in model.name.casefold()],
    ):
        if len(chosen) == 1:
            return chosen[0]
        if chosen:
            names = ", ".join(safe(model.name) for model in chosen[:8])
            raise CommandError(f"'{text}' may be {names}", "source")
    raise NothingFoundError(f"no local model '{text}': see vram-tui import --from-caches", "source")


def _list_caches(arguments: argparse.Namespace) -> int:
    models = _caches()
    if arguments.json:
        print_json(
            [
                {"source": model.source, "name": model.name, "size_bytes": model.size_bytes, "path": str(model.path)}
                for model in models
            ]
        )
        return 0
    unit = arguments.units
    columns = (Column("program"), Column("name"), Column("size", "right", unit_label(unit), "bytes"), Column("path"))
    rows = tuple(
        (
            words(model.source),
            words(model.name),
            number(model.size_bytes, format_memory(model.size_bytes, unit)),
            words(str(model.path)),
        )
        for model in models
    )
    print_table(
        Table("Models on this machine", columns, rows, ("import one: vram-tui import --from-caches NAME",)), arguments
    )
    return 0
