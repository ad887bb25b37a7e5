"""The hub by ranges, against a server on loopback: what it reads, what it refuses, what it never sends."""

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.importers.test_gguf_file import METADATA, TENSORS
from tests.importers.test_safetensors_file import described, raw
from vram_tui.estimator.formats import TYPES
from vram_tui.importers.gguf_parts import part_names
from vram_tui.importers.gguf_writer import header
from vram_tui.importers.hub import Hub, HubError, parse_reference
from vram_tui.importers.source import ReadError

TOKEN = "hf_secretsecret"
PARTS = part_names("big-00001-of-00002.gguf")
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors.index.json": b'{"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}}',
    "m-1.safetensors": raw(described(a=("F16", [300_000])), 600_000),
    "m-2.safetensors": raw(described(b=("BF16", [300_000])), 600_000),
    "model-Q4.gguf": header(METADATA, TENSORS) + bytes(10 << 20),
    **{
        f"sub/{name}": header({"split.no": number, "split.count": 2}, [(f"w{number}", (32,), TYPES["F32"].id)])
        + bytes(128)
        for number, name in enumerate(PARTS)
    },
    "mmproj-F16.gguf": b"GGUF",
}


class Server(ThreadingHTTPServer):
    """Serves FILES as the hub does, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.sent_bytes = 0
        self.ranges = True
        self.redirect = ""
        self.status = 200
        self.delay_s = 0.0

    def handle_error(self, *_: object) -> None:
        """A reader that hangs up early is what some tests are about."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Range"], self.headers["Authorization"]))
        if self.server.redirect or self.server.status != 200:
            self.send_response(302 if self.server.redirect else self.server.status)
            self.send_header("Location", self.server.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path.startswith("/api/models/org/name"):
            siblings: list[object] = [{"rfilename": name, "size": len(data)} for name, data in FILES.items()]
            siblings += [{"rfilename": "../../evil", "size": 1}, {"rfilename": "no-size"}, 7]
            body = json.dumps({"sha": "c0ffee", "siblings": siblings}).encode()
        else:
            body = FILES.get(self.path.removeprefix("/org/name/resolve/c0ffee/"), b"")
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"] or "")
        if asked and self.server.ranges:
            body = body[int(asked[1]) : int(asked[2]) + 1]
        self.send_response(206 if asked and self.server.ranges else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        time.sleep(self.server.delay_s)
        self.wfile.write(body[half:])
        self.server.sent_bytes += len(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def hub(server: Server) -> Hub:
    return Hub(server.url, TOKEN)


def test_reads_headers_alone(server: Server, hub: Hub) -> None:
    repository = hub.repository("hub:org/name")
    assert hub.config(repository) == {"model_type": "llama"}
    gguf = hub.gguf(repository, "model-Q4.gguf")
    assert [tensor.name for tensor in gguf.tensors] == [name for name, _, _ in TENSORS]
    assert gguf.size_bytes == len(FILES["model-Q4.gguf"])
    stored = hub.safetensors(repository)
    assert stored.bytes_by_dtype() == {"F16": 600_000, "BF16": 600_000}
    assert server.sent_bytes < 6 << 20
    assert all(asked for path, asked, _ in server.asked if path.endswith((".gguf", ".safetensors")))


def test_lists_what_can_be_read(hub: Hub) -> None:
    repository = hub.repository("org/name")
    assert {file.path for file in repository.files} == set(FILES)
    assert [file.path for file in repository.gguf_files()] == ["model-Q4.gguf", *(f"sub/{name}" for name in PARTS)]


def test_split_sets_are_joined(hub: Hub) -> None:
    read = hub.gguf(hub.repository("org/name"), f"sub/{PARTS[1]}")
    assert [(tensor.name, tensor.part) for tensor in read.tensors] == [("w0", 0), ("w1", 1)]


def test_nothing_is_sent_before_it_is_asked(server: Server) -> None:
    Hub(server.url)
    assert server.asked == []


def test_endpoint_and_token_come_from_the_environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url + "/")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    Hub().repository("org/name")
    assert server.asked[0][2] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "HF_TOKEN"), (403, "HF_TOKEN"), (404, "not there"), (429, "too many"), (500, "status 500")],
)
def test_refusals_are_said_in_words(server: Server, hub: Hub, status: int, words: str) -> None:
    server.status = status
    with pytest.raises(HubError, match=words) as caught:
        hub.repository("org/name")
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:1/x",
        "https://example.org/x",
        "file:///etc/passwd",
        "http://cdn.hf.co/x",
        "https://hf.co.example.org/x",
    ],
)
def test_redirects_elsewhere_are_refused(server: Server, hub: Hub, target: str) -> None:
    server.redirect = target
    with pytest.raises(HubError):
        hub.repository("org/name")
    assert len(server.asked) == 1


def test_a_server_without_ranges_is_told(server: Server, hub: Hub) -> None:
    repository = hub.repository("org/name")
    server.ranges = False
    with pytest.raises(HubError, match="does not serve parts"):
        hub.gguf(repository, "model-Q4.gguf")


def test_bytes_are_bounded(server: Server) -> None:
    hub = Hub(server.url, size_limit_bytes=1 << 20)
    repository = hub.repository("org/name")
    with pytest.raises(HubError, match="more than"):
        hub.gguf(repository, "model-Q4.gguf")


def test_time_is_bounded(server: Server) -> None:
    hub = Hub(server.url, time_limit_s=0.3)
    server.delay_s = 0.6
    begun = time.monotonic()
    with pytest.raises(HubError):
        hub.repository("org/name")
    assert time.monotonic() - begun < 3
    with pytest.raises(HubError, match=r"took more than 0\.3 s"):
        hub.repository("org/name")


def test_no_server_is_told() -> None:
    with pytest.raises(HubError, match="cannot be reached"):
        Hub("http://127.0.0.1:1").repository("org/name")


@pytest.mark.parametrize(
    "endpoint", ["http://huggingface.co", "ftp://127.0.0.1", "huggingface.co", "https://me:pw@host"]
)
def test_only_https(endpoint: str) -> None:
    with pytest.raises(ReadError) as caught:
        Hub(endpoint)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["org", "org/", "/name", "a/b/c", "../x", "org/..", "o rg/name", "org/name?x", "-a/b", "a\n/b"]
)
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(HubError, match="no model of the hub"):
        parse_reference("hub:" + name)


def test_unknown_file_is_told(hub: Hub) -> None:
    with pytest.raises(HubError, match=r"has no file other\.gguf"):
        hub.gguf(hub.repository("org/name"), "other.gguf")
