"""Refuses the network to a Python program that has this folder on its path, and writes down what was asked for."""

import os
import sys
from typing import Any

LOG = "VRAM_TUI_NETWORK_LOG"
"""The variable that names the file of attempts."""
_WITH_ADDRESS = ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg")
_WITH_NAME = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


def outside(event: str, arguments: tuple[Any, ...]) -> str:
    """The attempt in words, if an audit event is one to reach another machine; sockets of this one are none."""
    if event in _WITH_ADDRESS:
        address = arguments[1] if len(arguments) > 1 else None
        host = address[0] if isinstance(address, tuple) and address else None
    elif event in _WITH_NAME:
        host = arguments[0]
    else:
        return ""
    host = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    here = not isinstance(host, str) or host in ("", "localhost", "::1") or host.startswith("127.")
    return "" if here else f"{event} {arguments[-1] if event in _WITH_ADDRESS else host!r}"


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith("socket.") and (attempt := outside(event, arguments)):
        with open(os.environ[LOG], "a", encoding="utf-8") as log:
            log.write(f"{attempt}\n")
        raise OSError("no network here")


if os.environ.get(LOG):
    sys.addaudithook(_watch)
