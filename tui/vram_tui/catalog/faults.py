"""What is wrong in a catalogue file, said so that it can be mended: file, line, field, message, mend."""

from pathlib import Path

from vram_tui.estimator.records import record
from vram_tui.text import safe


@record
class Fault:
    """One thing wrong. `line` counts from 1 where it is known; `field` is a dotted path, empty for the whole file."""

    file: Path
    line: int | None
    field: str
    message: str
    mend: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else str(self.file)
        words = f"{self.field}: {self.message}" if self.field else self.message
        return safe(f"{where}: {words}{f'; {self.mend}' if self.mend else ''}")
