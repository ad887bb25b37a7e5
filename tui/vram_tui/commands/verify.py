"""`vram-tui verify`: our figures beside what llama.cpp's own allocator answers on this machine, without weights."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vram_tui.commands.common import Parser, add_common, print_json, print_table, workspace
from vram_tui.commands.errors import CommandError
from vram_tui.commands.options import add_options, given
from vram_tui.exporters.table import Column, Table, number, words

if TYPE_CHECKING:
    from vram_tui.verify.comparing import Comparison, Line

NO_PART = (
    "runtime",
    "method",
    "overhead",
    "profile",
    "tp",
    "pp",
    "ep",
    "dp",
    "free",
    "mtp",
    "gpu-memory-utilization",
    "mem-fraction-static",
    "max-batched-tokens",
)
"""Options of an estimate that llama.cpp's allocator has no part in."""


def run(name: str, argv: list[str]) -> int:
    parser = Parser(
        prog=f"vram-tui {name}",
        description="Our figures beside llama.cpp's own: PyPI's xllamacpp is asked what it would allocate, on the CPU "
        "and on a simulated GPU (or on what --gpus names). No weights are needed.",
        epilog="exit code: 0 all equal, 1 something differs, 2 cannot be asked",
    )
    parser.add_argument("model", metavar="MODEL", help="catalogue id or part of it, or a .gguf")
    add_common(parser, formats=True)
    add_options(parser, NO_PART)
    arguments = parser.parse_args(argv)
    comparisons = _compared(arguments, given(vars(arguments)))
    if arguments.json:
        print_json([_json(one) for one in comparisons])
    else:
        for one in comparisons:
            print_table(verify_table(arguments.model, one), arguments)
    return 0 if all(one.exact for one in comparisons) else 1


def _compared(arguments: Any, options: dict[str, Any]) -> "list[Comparison]":
    from vram_tui.importers.gguf_metadata import NoGgufError
    from vram_tui.verify.comparing import CPU, compare
    from vram_tui.verify.library import UnavailableError, installed

    try:
        installed()
        desk = workspace(arguments)
        chosen = desk.choose(arguments.model)
        scenario, ctx = desk.scenario(options), desk.context(chosen, options)
        quant = str(options.get("quant", chosen.quant))
        path = Path(arguments.model).expanduser()
        own = path.resolve() if path.suffix.lower() == ".gguf" and path.is_file() and quant == chosen.quant else None
        asked = [scenario] if "gpus" in options else [replace(scenario, machine=CPU), scenario]
        return [compare(chosen.subject, quant, ctx, one, desk.facts, own) for one in asked]
    except UnavailableError as error:
        raise CommandError(str(error)) from None
    except NoGgufError as error:
        raise CommandError(f"{arguments.model[:80]}: {error}", "model") from None
    except KeyError:
        raise CommandError(f"no format '{str(options.get('quant', ''))[:40]}' (see vram-tui quants)", "quant") from None


def verify_table(model: str, found: "Comparison") -> Table:
    """Terms of one machine, theirs and ours."""
    columns = (
        Column("where"),
        Column("term"),
        Column("llama.cpp", "right", "bytes"),
        Column("vram-tui", "right", "bytes"),
        Column("difference", "right"),
    )
    rows = tuple(
        (
            words(line.where),
            words(line.term),
            number(line.theirs, f"{line.theirs / (1 << 20):,.2f} MiB" if line.printed else None),
            number(line.ours),
            number(line.error, "equal" if line.exact else _difference(line)),
        )
        for line in found.lines
    )
    notes = [
        f"{who} refuses: {reason}"
        for who, reason in (("llama.cpp", found.their_refusal), ("vram-tui", found.our_refusal))
        if reason
    ]
    return Table(f"{model} on {found.machine}", columns if rows else (), rows, tuple(notes))


def _difference(line: "Line") -> str:
    share = "less than 0.01%" if abs(line.error) < 5e-5 else f"{line.error:+.2%}"
    return f"{line.ours - line.theirs:+,} ({share})"


def _json(found: "Comparison") -> dict[str, Any]:
    return {
        "machine": found.machine,
        "equal": found.exact,
        "llama_cpp_refusal": found.their_refusal or None,
        "our_refusal": found.our_refusal or None,
        "terms": [
            {
                "where": line.where,
                "term": line.term,
                "llama_cpp_bytes": line.theirs,
                "our_bytes": line.ours,
                "equal": line.exact,
                "printed": line.printed,
            }
            for line in found.lines
        ],
    }
