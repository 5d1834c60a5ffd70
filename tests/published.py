"""Published weights that nobody published: small networks of ours, in files as others write them, and a local server.

The manifest names three: "tiny" (one file), "pair" (a network of its own for the part "restorer"), "shapes" (arrays).
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from facestudio.training.export import dump

ESTIMATOR = {"architecture": "estimator:EstimatorUNet", "config": {"widths": [8, 16], "blocks": 1}}
BACKBONE = {
    "architecture": "iresnet:IResNet",
    "config": {"layers": [1, 1, 1], "widths": [8, 8, 8, 8], "stem_stride": 2, "dimensions": 32},
}
LICENCE = "Nobody's licence: not for sale"


def tables(server: str = "") -> dict[str, Any]:
    """The manifest's tables; `server` is where the files can be fetched."""

    def url(name: str) -> dict[str, str]:
        return {"url": f"{server}/{name}"} if server else {}

    plain = {"licence": LICENCE, "source": "https://example.org/weights", "method": "", "goal": "none"}
    wrapped = {"wrappers": ["state_dict"], "prefixes": ["vqvae."]}
    return {
        "tiny": {
            **plain,
            "title": "Tiny",
            "purpose": "Proves a point",
            "accept": True,
            **ESTIMATOR,
            "files": {"weights": {"name": "tiny.ckpt", "about": 200_000, **wrapped, **url("tiny.ckpt")}},
        },
        "pair": {
            **plain,
            "title": "Pair",
            **ESTIMATOR,
            "parts": {"restorer": BACKBONE},
            "files": {
                "weights": {"name": "first.pth", "about": 200_000, **url("first.pth")},
                "restorer": {"name": "second.pth", "about": 200_000, **url("second.pth")},
            },
        },
        "shapes": {
            **plain,
            "title": "Shapes",
            "architecture": "",
            "files": {
                "dictionary": {
                    "about": 4000,
                    "arrays": {
                        "eye_32": {"name": "eye_32_center.npy", "shape": [-1, 2, 3, 3]},
                        "nose_32": {"name": "nose_32_center.npy", "shape": [-1, 2, 2, 2]},
                    },
                }
            },
        },
    }


def write_manifest(folder: Path, tables: dict[str, Any]) -> None:
    """The program's manifest of this test, if FACESTUDIO_WEIGHTS says `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.toml").write_text(dump({"checkpoints": tables}), encoding="utf-8")


def network(of: dict[str, Any], seed: int = 0) -> Any:
    """One of the small networks, filled by chance."""
    import torch

    from facestudio.faces.loading import build_network

    torch.manual_seed(seed)
    return build_network(of["architecture"], of["config"], "a test").eval()


def write_tiny(path: Path, seed: int = 0) -> dict[str, Any]:
    """The file of "tiny", as a training leaves it: behind a wrapper, with a prefix, beside a critic and numbers."""
    import torch

    state = network(ESTIMATOR, seed).state_dict()
    path.parent.mkdir(parents=True, exist_ok=True)
    held = {f"vqvae.{key}": value for key, value in state.items()}
    torch.save({"epoch": 3, "state_dict": {**held, "loss.critic.weight": torch.ones(5)}}, path)
    return state


def write_pair(folder: Path) -> None:
    """The files of "pair", bare; the second one from a training on several cards."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    torch.save(network(ESTIMATOR).state_dict(), folder / "first.pth")
    several = {f"module.{key}": value for key, value in network(BACKBONE).state_dict().items()}
    torch.save(several, folder / "second.pth", _use_new_zipfile_serialization=False)


def write_shapes(folder: Path) -> None:
    """The files of "shapes": 4 entries, flat."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "eye_32_center.npy", np.arange(4 * 18, dtype=np.float32).reshape(4, 18))
    np.save(folder / "nose_32_center.npy", np.arange(4 * 8, dtype=np.float64).reshape(4, 8))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `files` by name. What it does wrong is set by a test; `asked` holds the Range of every request."""

    daemon_threads = False  # joined when the server is closed, so that no connection outlives its test

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.breaks: list[int] = []  # for each of the next answers, after how many bytes it breaks off
        self.errors: list[int] = []  # for each of the next requests, the error that it gets
        self.ranges = self.lengths = True
        self.tag = '"1"'
        self.moved = self.address  # where /moved/NAME leads, to NAME there
        self.kind = "application/octet-stream"
        self.more = 0  # bytes that the length claims beyond what comes
        self.pace = 0.0  # seconds between two pieces
        self.total: int | None = None  # claimed in Content-Range
        self.gate = threading.Event()  # while clear, an answer stops in its middle
        self.gate.set()
        self.started = threading.Event()  # set once a first piece was sent

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range", "")
        server.asked.append(asked)
        if self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", f"{server.moved}{self.path.removeprefix('/moved')}")
            self.end_headers()
            return
        data = server.files.get(self.path.lstrip("/"))
        if server.errors or data is None:
            self.send_error(server.errors.pop(0) if server.errors else 404)
            return
        begin = 0
        if asked and server.ranges and self.headers.get("If-Range") in (None, server.tag):
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(data):
                self.send_error(416)
                return
        self.send_response(206 if begin else 200)
        self.send_header("Content-Type", server.kind)
        self.send_header("Connection", "close")
        if server.tag:
            self.send_header("ETag", server.tag)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{server.total or len(data)}")
        if server.lengths:
            self.send_header("Content-Length", str(len(data) - begin + server.more))
        self.end_headers()
        end = begin + server.breaks.pop(0) if server.breaks else len(data)
        for start in range(begin, min(end, len(data)), 50_000):
            with contextlib.suppress(OSError):
                self.wfile.write(data[start : min(start + 50_000, end)])
                self.wfile.flush()
            server.started.set()
            server.gate.wait(10)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        return


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """A server on this computer."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="test server")
    thread.start()
    try:
        yield server
    finally:
        server.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()
