"""Measured cases that the estimator is judged by, compressed; `rows(name)` reads one file."""

import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any


@cache
def rows(name: str) -> tuple[dict[str, Any], ...]:
    """The rows of `tests/truth/<name>.jsonl.xz`, one dict a line."""
    with lzma.open(Path(__file__).with_name(f"{name}.jsonl.xz"), "rt", encoding="utf-8") as lines:
        return tuple(json.loads(line) for line in lines)
