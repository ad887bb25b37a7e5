"""Ask llama.cpp's own allocator about models that no rule was found on: `python -m benchmarks.record_apart`.

Takes entries of the catalogue whose models are not among the recorded allocations, one of each architecture,
and writes `tests/truth/llamacpp_apart.jsonl.xz`. Needs the `verify` extra; the accuracy report reads it without.
"""

import json
import lzma
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.recorded import catalog, matched
from tests.truth import rows

from vram_tui.estimator.refusals import Refusal
from vram_tui.estimator.scenario import Scenario
from vram_tui.importers.gguf_metadata import NoGgufError
from vram_tui.verify.comparing import compare
from vram_tui.verify.library import BUILD

RECORD = Path(__file__).parents[1] / "tests" / "truth" / "llamacpp_apart.jsonl.xz"
MOST = 1
SETTINGS: tuple[dict[str, Any], ...] = (
    {"ctx": 8192},
    {"ctx": 32768, "seqs": 4},
    {"ctx": 16384, "outputs": "ubatch"},
    {"ctx": 16384, "kv_k": "q8_0", "kv_v": "q8_0"},
)
"""What each is asked with: as a server with one slot and with four, with logits of every token, with a packed cache."""
TERMS = {
    ("GPU", "compute buffer"): "compute",
    ("RAM", "compute buffer"): "host",
    ("GPU", "KV cache and state"): "caches",
}


def chosen() -> Iterator[tuple[str, str]]:
    """(id, architecture) of the entries that are asked about: the smaller ones of each architecture first."""
    known = set(matched().values()) | {row.get("catalog_id") for row in rows("llamacpp_models")}
    taken: Counter[str] = Counter()
    for entry in sorted(catalog().entries, key=lambda one: catalog().subject(one.id).profile.parameters):
        arch = catalog().subject(entry.id).profile.architecture
        if arch and entry.id not in known and taken[arch] < MOST:
            taken[arch] += 1
            yield entry.id, arch


def recorded() -> Iterator[dict[str, Any]]:
    for known, arch in chosen():
        for given in SETTINGS:
            asked = {key: value for key, value in given.items() if key != "ctx"}
            try:
                found = compare(catalog().subject(known), "Q4_K_M", given["ctx"], Scenario(**asked), catalog().facts)
            except (Refusal, NoGgufError, KeyError) as error:
                print(f"{known}: {error}", file=sys.stderr)
                break
            if found.their_refusal or found.our_refusal:
                print(f"{known} {given}: {found.their_refusal or found.our_refusal}", file=sys.stderr)
                continue
            held = {TERMS[key]: line.theirs for line in found.lines if (key := (line.where, line.term)) in TERMS}
            yield {"id": known, "arch": arch, "quant": "Q4_K_M", "build": BUILD, **given, **held}


def main() -> int:
    lines = "".join(json.dumps(one) + "\n" for one in recorded())
    RECORD.write_bytes(lzma.compress(lines.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{lines.count(chr(10))} rows in {RECORD.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
