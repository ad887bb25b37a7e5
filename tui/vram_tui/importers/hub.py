"""Read a model's headers from the Hugging Face hub by HTTP ranges: only when asked, within limits."""

import os
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException, HTTPMessage
from pathlib import PurePosixPath
from threading import Lock
from typing import IO, Any
from urllib.error import HTTPError

from vram_tui.estimator.records import record
from vram_tui.importers.gguf_file import GgufFile
from vram_tui.importers.gguf_parts import read_gguf_set
from vram_tui.importers.json_config import MAX_CONFIG_BYTES, parse_object
from vram_tui.importers.safetensors_file import (
    MAX_INDEX_BYTES,
    SafetensorsFile,
    choose_files,
    join_shards,
    parse_safetensors,
    shard_names,
)
from vram_tui.importers.source import ReadError

ENDPOINT = "https://huggingface.co"
TIME_LIMIT_S = 60.0
SIZE_LIMIT_BYTES = 256 << 20  # fetched in all, over every request of one Hub
MAX_LISTING_BYTES = 16 << 20
_WAIT_S = 15.0
_AHEAD_BYTES = {".gguf": 4 << 20, ".safetensors": 256 << 10}
_CONNECTIONS = 8
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# The hub hands large files out from storage hosts of these domains.
_STORAGE_DOMAINS = (".huggingface.co", ".hf.co")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


class HubError(ReadError):
    """The hub could not be reached, refused, or answered what cannot be used."""


@record
class HubFile:
    """One file of a repository."""

    path: str
    size_bytes: int


@record
class HubRepository:
    """What a repository holds at one revision (a commit, so that later reads agree)."""

    name: str
    revision: str
    files: tuple[HubFile, ...]

    def gguf_files(self) -> tuple[HubFile, ...]:
        """Its GGUF models, projectors left out."""
        return tuple(f for f in self.files if f.path.lower().endswith(".gguf") and "mmproj" not in f.path.lower())


def parse_reference(text: str) -> str:
    """Return ``org/name`` of ``hub:org/name``; HubError where it is none."""
    name = text.removeprefix("hub:")
    if not _NAME.fullmatch(name) or ".." in name:
        raise HubError(text, "", "is no model of the hub", "write hub:ORG/NAME")
    return name


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow a redirect to the endpoint itself or to the hub's storage, and take the token to neither other host."""

    max_redirections = 5

    def __init__(self, endpoint: urllib.parse.SplitResult) -> None:
        self._endpoint = endpoint

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        target = urllib.parse.urlsplit(newurl)
        same = (target.scheme, target.netloc) == (self._endpoint.scheme, self._endpoint.netloc)
        storage = target.scheme == "https" and (target.hostname or "").endswith(_STORAGE_DOMAINS)
        if not same and not storage:
            fp.close()
            host = target.hostname or "another place"
            raise HubError(self._endpoint.netloc, "", f"redirects to {host}", "check HF_ENDPOINT")
        request = super().redirect_request(req, fp, code, msg, headers, newurl)
        if request is not None and not same:
            request.remove_header("Authorization")
        return request


class Hub:
    """A connection to a hub with one budget of time and bytes for all that is asked of it.

    ``endpoint`` defaults to HF_ENDPOINT, ``token`` to HF_TOKEN; the token goes to the endpoint alone
    and into no message. Only https, but for a loopback address. Nothing is sent before a method is
    called. Every failure is a HubError, or the ReadError of the reader of that kind of file.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        token: str | None = None,
        *,
        time_limit_s: float = TIME_LIMIT_S,
        size_limit_bytes: int = SIZE_LIMIT_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")
        self._token = token if token is not None else os.environ.get("HF_TOKEN", "")
        parts = urllib.parse.urlsplit(self.endpoint)
        if parts.username or parts.password or not parts.hostname:
            raise HubError("HF_ENDPOINT", "", "is no plain address", "write https://HOST")
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise HubError(self.endpoint, "", "is not https", "set HF_ENDPOINT to an https address")
        if not self._token.isprintable() or not self._token.isascii():
            raise HubError("HF_TOKEN", "", "holds characters that no token has", "set it again")
        handlers: list[urllib.request.BaseHandler] = [_Redirects(parts)]
        if parts.hostname in _LOOPBACK:
            handlers.append(urllib.request.ProxyHandler({}))
        self._open = urllib.request.build_opener(*handlers).open
        self._clock = clock
        self._deadline = clock() + time_limit_s
        self._time_limit_s = time_limit_s
        self._left = size_limit_bytes
        self._lock = Lock()

    def _body(self, url: str, response: Any, limit: int) -> bytes:
        pieces, length = [], 0
        while piece := response.read1(64 << 10):
            length += len(piece)
            with self._lock:
                self._left -= len(piece)
            if length > limit or self._left < 0:
                raise HubError(url, "", f"sends more than the {limit} bytes asked for", "name a smaller file")
            if self._clock() > self._deadline:
                raise HubError(url, "", f"took more than {self._time_limit_s:g} s", "try again")
            pieces.append(piece)
        return b"".join(pieces)

    def get(self, path: str, limit: int, *, first: int | None = None, query: str = "") -> bytes:
        """Return the body at ``path`` below the endpoint: all of it, or ``limit`` bytes from ``first``."""
        url = f"{self.endpoint}/{urllib.parse.quote(path)}{query}"
        request = urllib.request.Request(url, headers={"User-Agent": "vram-tui", "Accept-Encoding": "identity"})
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        if first is not None:
            request.add_header("Range", f"bytes={first}-{first + limit - 1}")
        wait = min(_WAIT_S, self._deadline - self._clock())
        if wait <= 0:
            raise HubError(url, "", f"took more than {self._time_limit_s:g} s", "try again")
        try:
            with self._open(request, timeout=wait) as response:
                if first is not None and response.status != 206:
                    raise HubError(url, "", "does not serve parts of files", "download the file and import it")
                return self._body(url, response, limit)
        except HTTPError as error:
            error.close()
            raise HubError(url, "", *_status(error.code)) from None
        except (OSError, HTTPException, ValueError) as error:
            if isinstance(error, ReadError):
                raise
            reason = getattr(error, "reason", error)
            problem = f"cannot be reached ({type(reason).__name__}: {reason})"
            raise HubError(url, "", problem, "check the network, or import a downloaded file") from None

    def repository(self, name: str) -> HubRepository:
        """Return the files of ``org/name`` with their sizes."""
        name = parse_reference(name)
        path = f"api/models/{name}"
        data = self.get(path, MAX_LISTING_BYTES, query="?blobs=true")
        listing = parse_object(data, f"{self.endpoint}/{path}", limit_bytes=MAX_LISTING_BYTES)
        siblings, revision = listing.get("siblings"), listing.get("sha")
        if not isinstance(siblings, list) or not isinstance(revision, str) or not revision.isalnum():
            raise HubError(f"{self.endpoint}/{path}", "siblings", "is no list of files", "check HF_ENDPOINT")
        files = [file for item in siblings if (file := _listed(item)) is not None]
        return HubRepository(name, revision, tuple(sorted(files, key=lambda file: file.path)))

    def source(self, repository: HubRepository, path: str) -> "HubSource":
        """Return random access to one file."""
        for file in repository.files:
            if file.path == path:
                return HubSource(self, repository, file)
        raise HubError(f"hub:{repository.name}", "", f"has no file {path}", "look at its list of files")

    def whole(self, repository: HubRepository, path: str, limit: int) -> bytes:
        """Return a small file; HubError where it is larger than ``limit``."""
        source = self.source(repository, path)
        if source.size > limit:
            raise HubError(source.name, "", f"is {source.size} bytes (at most {limit})", "name the right file")
        return self.get(source.path, limit)

    def config(self, repository: HubRepository) -> dict[str, Any]:
        """Return the repository's config.json."""
        return parse_object(
            self.whole(repository, "config.json", MAX_CONFIG_BYTES), f"hub:{repository.name}/config.json"
        )

    def gguf(self, repository: HubRepository, path: str) -> GgufFile:
        """Return the header of one GGUF file, or of the split set it belongs to."""
        folder = PurePosixPath(path).parent
        return read_gguf_set(PurePosixPath(path).name, lambda part: self.source(repository, str(folder / part)))

    def safetensors(self, repository: HubRepository) -> SafetensorsFile:
        """Return the headers of the repository's safetensors, all shards."""
        name = f"hub:{repository.name}"
        chosen = choose_files((file.path for file in repository.files if "/" not in file.path), name)
        if not chosen.endswith(".index.json"):
            return parse_safetensors(self.source(repository, chosen))
        shards = shard_names(self.whole(repository, chosen, MAX_INDEX_BYTES), f"{name}/{chosen}")
        sources = [self.source(repository, shard) for shard in shards]
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            return join_shards(name, pool.map(parse_safetensors, sources))


class HubSource:
    """One file of a repository, read by ranges, each with some bytes ahead."""

    def __init__(self, hub: Hub, repository: HubRepository, file: HubFile) -> None:
        self.name = f"hub:{repository.name}/{file.path}"
        self.size = file.size_bytes
        self.path = f"{repository.name}/resolve/{repository.revision}/{file.path}"
        self._hub = hub
        self._ahead = _AHEAD_BYTES.get(PurePosixPath(file.path).suffix.lower(), 64 << 10)
        self._start, self._held = 0, b""

    def read(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        index = offset - self._start
        if index < 0 or index + length > len(self._held):
            wanted = min(max(length, self._ahead), self.size - offset)
            if wanted <= 0:
                return b""
            self._held = self._hub.get(self.path, wanted, first=offset)
            self._start, index = offset, 0
        return self._held[index : index + length]


def _listed(item: Any) -> HubFile | None:
    """One entry of the hub's listing; None where it has no size or a path that leaves the repository."""
    if not isinstance(item, dict):
        return None
    path, size = item.get("rfilename"), item.get("size")
    if not isinstance(path, str) or type(size) is not int or size < 0:
        return None
    inside = 0 < len(path) <= 500 and not path.startswith("/") and ".." not in path.split("/")
    return HubFile(path, size) if inside else None


def _status(code: int) -> tuple[str, str]:
    """Say an HTTP status in words, with the mend."""
    match code:
        case 401 | 403:
            return "may not be read without leave", "set HF_TOKEN, and accept the model's terms on its page"
        case 404:
            return "is not there", "check the name"
        case 429:
            return "has had too many questions from here", "wait a while, or set HF_TOKEN"
    return f"answers with status {code}", "try again later"
