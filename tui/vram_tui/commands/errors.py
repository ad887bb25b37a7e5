"""Exit codes and one-line errors: what is wrong, where, and the mend."""

import os
import sys
from collections.abc import Callable

from vram_tui.text import safe

BAD_INPUT, FOUND_NOTHING = 2, 3


class CommandError(Exception):
    """Bad usage or bad input; `field` names the option or field that is to blame."""

    def __init__(self, message: str, field: str = "", code: int = BAD_INPUT) -> None:
        super().__init__(message)
        self.field = field
        self.code = code


class NothingFoundError(CommandError):
    """The question was fine and the answer is empty."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message, field, FOUND_NOTHING)


def report(command: Callable[[], int]) -> int:
    """Run a command; turn its errors into one line on stderr and the exit code that belongs to it."""
    try:
        code = command()
        sys.stdout.flush()
        return code
    except CommandError as error:
        message, code = str(error), error.code
    except ValueError as error:  # readers, parsers and refusals: their text names place and mend
        message, code = str(error), BAD_INPUT
    except BrokenPipeError:
        # The reader left (`| head`): nothing to say, and nothing may be said at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        message, code = f"{place}{error.strerror or error}", BAD_INPUT
    except KeyboardInterrupt:
        return 130
    print(f"vram-tui: {safe(message, 2000)}", file=sys.stderr)
    return code
