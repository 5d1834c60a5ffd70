"""Fetching one large file over HTTP: goes on where it stopped, reports, is cancelled at once, and says what went wrong.

What came so far lies in NAME.part, and NAME.part.json beside it says of which version of the file that is, so that the
rest is never glued to another version. Knows nothing of weights. The standard library is enough: one file, one
connection. Nothing here runs unless somebody asked for a download.
"""

from __future__ import annotations

import errno
import http.client
import json
import math
import os
import re
import shutil
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from facestudio.errors import DownloadFailed
from facestudio.files import shown
from facestudio.progress import Progress

CHUNK = 256 << 10
PATIENCE = 20.0  # seconds without a byte after which a connection counts as broken
PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before each new attempt, while nothing comes
SPARE = 64 << 20  # bytes that a download leaves free on the disk
WATCH = 0.1
_AGAIN = "Try again: the download continues where it stopped."
_BY_HAND = "Try later, or get the file in another way and import it."


@dataclass(frozen=True)
class _Version:
    """Which version of a file it is that a server sends: `total` bytes (None: it does not say) and its `tag`."""

    url: str
    total: int | None
    tag: str


def fetch(url: str, target: Path, progress: Progress, *, most: int, share: float | None = None) -> Path:
    """Fetch `url` to `target`, in a folder that exists, and return it; at once when it is there already.

    More than `most` bytes are refused; `share` is as of Progress.track. DownloadFailed in one sentence; what came is
    kept for the next call, unless it is of no use.
    """
    if not target.is_file():
        _Download(url, target, progress, most, share).run()
    return target


def discard(target: Path) -> None:
    """Forget what was fetched to `target`, whole or in part."""
    for path in (target, *_partial(target)):
        path.unlink(missing_ok=True)


def _partial(target: Path) -> tuple[Path, Path]:
    part = target.with_name(f"{target.name}.part")
    return part, part.with_name(f"{part.name}.json")


class _Broken(Exception):
    """The connection broke off; another attempt may help."""


class _Download:
    """One file on its way: `have` bytes of `version` are in `part`."""

    def __init__(self, url: str, target: Path, progress: Progress, most: int, share: float | None) -> None:
        self.url, self.target, self.progress, self.most, self.share = url, target, progress, most, share
        self.name, self.host = shown(target), urlsplit(url).hostname or url
        self.part, self.note = _partial(target)
        self.have = 0
        self.version: _Version | None = None
        self.answered = self.useless = False
        self.furthest = self.tries = 0

    def run(self) -> None:
        try:
            self._remember()
            if self.version is None or self.have != self.version.total:
                with open(self.part, "ab") as file, _watched(self.progress) as opener:
                    self._receive(file, opener)
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(self.part, self.target)
            self.note.unlink(missing_ok=True)
        except OSError as error:
            raise self._disk_failure(error) from error
        finally:
            if self.useless:
                discard(self.target)

    def _remember(self) -> None:
        """Take up what is there, if it is known of which version it is."""
        try:
            told = json.loads(self.note.read_text(encoding="utf-8"))
            version = _Version(str(told["url"]), told["total"], str(told["tag"]))
            have = self.part.stat().st_size
        except (OSError, ValueError, KeyError, TypeError):
            return
        whole = have if version.total is None else version.total
        if version.url == self.url and version.tag and isinstance(whole, int) and have <= whole <= self.most:
            self.have, self.version = have, version

    # ---- the bytes

    def _receive(self, file: IO[bytes], opener: Opener) -> None:
        if not self.have:
            file.truncate(0)
        response = self._connect(file, opener)
        assert self.version is not None
        begun, total = self.have, self.version.total
        size = "" if total is None else f" ({max(total, 1e5) / 1e6:.1f} MB{', the rest' if begun else ''})"
        steps = 1 if total is None else math.ceil((total - begun) / CHUNK)
        try:
            for step in self.progress.track(range(steps), f"Downloading {self.name}{size}", self.share):
                goal = None if total is None else min(begun + (step + 1) * CHUNK, total)
                while goal is None or self.have < goal:
                    try:
                        came = self._take(file, response, CHUNK if goal is None else goal - self.have)
                        if came == 0 and goal is None:
                            break
                        if came == 0:
                            raise _Broken
                    except _Broken as broken:
                        response.close()
                        self._pause(broken)
                        response = self._connect(file, opener)
                        if self.version.total != total:
                            self.useless = True
                            raise DownloadFailed(
                                f"{self.name} changed on {self.host} while it was being downloaded.", hint="Try again."
                            ) from None
        finally:
            response.close()  # stopped, too: a connection must not outlive its download

    def _take(self, file: IO[bytes], response: Any, most: int) -> int:
        """Write the next bytes, `most` at most; 0 at the end."""
        try:
            data = response.read1(most)
        except (OSError, http.client.HTTPException) as error:
            raise _Broken from error
        self.have += len(data)
        if self.have > self.most:
            raise self._too_large(self.have)
        file.write(data)
        self.progress.check()
        return len(data)

    # ---- the connection

    def _connect(self, file: IO[bytes], opener: Opener) -> Any:
        """A response that goes on after what is there, or begins anew."""
        while True:
            try:
                return self._open(file, opener)
            except _Broken as broken:
                self._pause(broken)

    def _pause(self, broken: _Broken) -> None:
        """Wait before the next attempt; DownloadFailed when several in a row brought nothing new."""
        self.progress.check()
        if self.have > self.furthest:
            self.furthest, self.tries = self.have, 0
        if self.tries == len(PAUSES):
            raise self._no_connection(broken.__cause__) from broken.__cause__
        until = time.monotonic() + PAUSES[self.tries]
        self.tries += 1
        while (left := until - time.monotonic()) > 0:
            self.progress.check()
            time.sleep(min(left, WATCH))

    def _open(self, file: IO[bytes], opener: Opener) -> Any:
        headers = {"User-Agent": "facestudio", "Accept-Encoding": "identity"}
        if self.have and self.version is not None and self.version.tag:
            headers |= {"Range": f"bytes={self.have}-", "If-Range": self.version.tag}
        try:
            response = opener(urllib.request.Request(self.url, headers=headers))
        except urllib.error.HTTPError as error:
            with error:
                self.answered = True
                if error.code == 416 and self.have:  # there is no such rest: what is here is of no use
                    self._begin(file, None)
                    raise _Broken from error
                if error.code in (408, 425, 429) or error.code >= 500:
                    raise _Broken from error
                raise self._refused(error.code) from error
        except (OSError, http.client.HTTPException) as error:
            self.progress.check()
            if not self.answered:
                raise self._no_connection(error) from error
            raise _Broken from error
        self.answered = True
        try:
            self._look(file, response)
        except BaseException:
            response.close()
            raise
        return response

    def _look(self, file: IO[bytes], response: Any) -> None:
        """See what is about to come: the rest of what is here, or the whole file."""
        if response.headers.get_content_type() == "text/html":
            raise DownloadFailed(f"{self.host} sent a web page instead of {self.name}.", hint=_BY_HAND)
        tag = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        if tag.startswith("W/"):
            tag = ""  # a weak one does not promise the same bytes
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        if response.status == 206:
            span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
            known = self.version.total if self.version else None
            if span is None or int(span[1]) != self.have or known not in (None, int(span[2])):
                self._begin(file, None)
                raise _Broken
            total = int(span[2])
            if self.version is not None and self.version.total is not None:
                return
        else:
            self._begin(file, None)
        if total is not None and total > self.most:
            raise self._too_large(total)
        if total is not None and shutil.disk_usage(self.part.parent).free < total - self.have + SPARE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._begin(file, _Version(self.url, total, tag))

    def _begin(self, file: IO[bytes], version: _Version | None) -> None:
        """Note that `version` comes now; None: that nothing that is here counts."""
        self.version = version
        if version is None:
            file.flush()
            file.truncate(0)
            self.have = 0
            self.note.unlink(missing_ok=True)
        else:
            self.note.write_text(json.dumps(vars(version)), encoding="utf-8")

    # ---- what went wrong

    def _so_far(self) -> str:
        total = self.version.total if self.version else None
        return f"{self.have / 1e6:.1f} MB" + (f" of {total / 1e6:.1f}" if total else "")

    def _no_connection(self, cause: BaseException | None) -> DownloadFailed:
        reason = getattr(cause, "reason", cause)
        if isinstance(cause, urllib.error.HTTPError):
            return DownloadFailed(f"{self.host} cannot send {self.name} just now (error {cause.code}).", hint=_BY_HAND)
        if isinstance(reason, ssl.SSLCertVerificationError):
            return DownloadFailed(
                f"The connection to {self.host} is not secure: its certificate is not valid.", _BY_HAND
            )
        if self.have:
            return DownloadFailed(f"The connection to {self.host} broke off after {self._so_far()}.", hint=_AGAIN)
        return DownloadFailed(
            f"There is no connection to {self.host}.",
            hint="Check the network, or import the file if you have it already.",
        )

    def _refused(self, code: int) -> DownloadFailed:
        if code in (404, 410):
            return DownloadFailed(f"{self.name} is not on {self.host} any more (error {code}).", hint=_BY_HAND)
        if code in (401, 403):
            return DownloadFailed(
                f"{self.host} does not let everybody download {self.name} (error {code}).", hint=_BY_HAND
            )
        return DownloadFailed(f"{self.host} refuses to send {self.name} (error {code}).", hint=_BY_HAND)

    def _too_large(self, size: int) -> DownloadFailed:
        self.useless = True
        return DownloadFailed(
            f"{self.host} sends {size / 1e6:.0f} MB or more as {self.name}, far more than expected.",
            hint=_BY_HAND,
        )

    def _disk_failure(self, error: OSError) -> DownloadFailed:
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            return DownloadFailed(
                f"The disk is too full for {self.name}.", hint=f"Free some space in {self.part.parent}, then try again."
            )
        words = (error.strerror or "the system refused").lower()
        return DownloadFailed(
            f"{self.name} cannot be written: {words}.", hint=f"Check the permissions of the folder {self.part.parent}."
        )


Opener = Callable[[urllib.request.Request], Any]


@contextmanager
def _watched(progress: Progress) -> Iterator[Opener]:
    """Opens HTTP and HTTPS alone, and shuts the connection when `progress` is cancelled: a read would wait on."""
    sockets: list[socket.socket] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(WATCH):
            if progress.cancelled:
                for each in sockets:
                    try:
                        # not SSLSocket.shutdown, which forgets the encryption under the thread that reads
                        socket.socket.shutdown(each, socket.SHUT_RDWR)
                    except OSError:
                        continue

    class Plain(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            sockets[:] = [self.sock]

    class Secure(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            sockets[:] = [self.sock]

    class PlainHandler(urllib.request.HTTPHandler):
        def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Plain, request)

    class SecureHandler(urllib.request.HTTPSHandler):
        def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Secure, request, context=ssl.create_default_context())

    director = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        PlainHandler(),
        SecureHandler(),
        _Redirect(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        director.add_handler(handler)
    thread = threading.Thread(target=watch, name="download watch", daemon=True)
    thread.start()
    try:
        yield lambda request: director.open(request, timeout=PATIENCE)
    finally:
        over.set()
        thread.join()


class _Redirect(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from an encrypted connection to a plain one."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise urllib.error.HTTPError(newurl, code, "leads to a connection without encryption", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
