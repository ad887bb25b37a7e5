"""All fuzz targets in one run: ``python -m tests.fuzz --seconds 60 --seed 1``."""

from tests.fuzz import fuzz_gguf, fuzz_texts
from tests.fuzz.engine import main

raise SystemExit(main({**fuzz_gguf.TARGETS, **fuzz_texts.TARGETS}, __doc__))
