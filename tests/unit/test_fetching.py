"""Downloads, from a server on this computer that breaks off, lies and changes its mind."""

from __future__ import annotations

import errno
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from facestudio import fetching
from facestudio.errors import DownloadFailed
from facestudio.fetching import fetch
from facestudio.progress import Cancelled, Progress, Update
from tests.published import Server, serving

CONTENT = random.Random(1).randbytes(1_300_000)
PLENTY = 10_000_000


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(fetching, "PAUSES", (0.01, 0.01, 0.01, 0.01))
    monkeypatch.setattr(fetching, "WATCH", 0.01)
    with serving() as server:
        server.files["net.pth"] = CONTENT
        yield server


def get(server: Server, folder: Path, progress: Progress | None = None, most: int = PLENTY) -> Path:
    return fetch(f"{server.address}/net.pth", folder / "net.pth", progress or Progress(), most=most)


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_with_progress_and_leaves_nothing_else(server: Server, tmp_path: Path) -> None:
    updates: list[Update] = []
    path = get(server, tmp_path, Progress(updates.append, every=0))
    assert path.read_bytes() == CONTENT
    assert left_over(tmp_path) == ["net.pth"]
    assert updates[0].stage == "Downloading net.pth (1.3 MB)"
    fractions = [update.fraction for update in updates]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1 and len(fractions) > 4
    get(server, tmp_path)
    assert server.asked == [""], "what is there is not fetched again"


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.breaks = [500_000, 300_000]
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == ["", "bytes=500000-", "bytes=800000-"]


def test_the_next_call_goes_on_where_the_last_one_stopped(server: Server, tmp_path: Path) -> None:
    server.breaks = [700_000, 0, 0, 0, 0]
    with pytest.raises(DownloadFailed) as caught:
        get(server, tmp_path)
    assert str(caught.value) == "The connection to 127.0.0.1 broke off after 0.7 MB of 1.3."
    assert "continues where it stopped" in caught.value.hint
    assert left_over(tmp_path) == ["net.pth.part", "net.pth.part.json"]
    updates: list[Update] = []
    assert get(server, tmp_path, Progress(updates.append, every=0)).read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=700000-"
    assert updates[0].stage == "Downloading net.pth (1.3 MB, the rest)"
    assert left_over(tmp_path) == ["net.pth"]


def test_a_file_that_changed_meanwhile_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    server.breaks = [700_000, 0, 0, 0, 0]
    with pytest.raises(DownloadFailed):
        get(server, tmp_path)
    server.files["net.pth"], server.tag = bytes(reversed(CONTENT)), '"2"'
    assert get(server, tmp_path).read_bytes() == bytes(reversed(CONTENT))


def test_a_file_that_changes_its_size_while_it_comes_says_so(server: Server, tmp_path: Path) -> None:
    server.breaks = [700_000]
    server.gate.clear()

    def change() -> None:
        server.started.wait(10)
        server.files["net.pth"], server.tag = CONTENT[:900_000], '"2"'
        server.gate.set()

    thread = threading.Thread(target=change)
    thread.start()
    with pytest.raises(DownloadFailed, match=r"^net\.pth changed on 127\.0\.0\.1 while it was being downloaded\.$"):
        get(server, tmp_path)
    thread.join()
    assert left_over(tmp_path) == []
    assert len(get(server, tmp_path).read_bytes()) == 900_000


@pytest.mark.parametrize("lack", ["ranges", "tag"])
def test_a_server_that_cannot_go_on_begins_anew(server: Server, tmp_path: Path, lack: str) -> None:
    setattr(server, lack, False if lack == "ranges" else "")
    server.breaks = [500_000]
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_a_server_that_always_breaks_at_one_place_is_given_up(server: Server, tmp_path: Path) -> None:
    server.ranges, server.breaks = False, [500_000] * 20
    with pytest.raises(DownloadFailed, match="broke off"):
        get(server, tmp_path)
    assert len(server.asked) == 5


def test_a_file_of_unknown_length_comes_too(server: Server, tmp_path: Path) -> None:
    server.lengths = False
    assert get(server, tmp_path).read_bytes() == CONTENT


def test_a_length_that_is_a_lie_does_not_pass(server: Server, tmp_path: Path) -> None:
    server.more = 1000
    with pytest.raises(DownloadFailed, match=r"broke off after 1\.3 MB"):
        get(server, tmp_path)
    assert not (tmp_path / "net.pth").exists()


def test_a_rest_of_another_file_is_not_glued_on(server: Server, tmp_path: Path) -> None:
    server.breaks, server.total = [500_000], 77
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == ["", "bytes=500000-", ""]


def test_a_whole_part_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    server.breaks = [700_000, 0, 0, 0, 0]
    with pytest.raises(DownloadFailed):
        get(server, tmp_path)
    (tmp_path / "net.pth.part").write_bytes(CONTENT)  # as if the computer had stopped before the last step
    asked = len(server.asked)
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert len(server.asked) == asked


def test_a_part_of_unknown_origin_is_not_trusted(server: Server, tmp_path: Path) -> None:
    (tmp_path / "net.pth.part").write_bytes(b"something else")
    (tmp_path / "net.pth.part.json").write_text("[3")
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.asked == [""]


@pytest.mark.parametrize("said", [True, False])
def test_a_file_that_is_too_large_is_refused(server: Server, tmp_path: Path, said: bool) -> None:
    server.lengths = said
    with pytest.raises(DownloadFailed, match=r"sends 1 MB or more as net\.pth, far more than expected"):
        get(server, tmp_path, most=1_000_000)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (404, "net.pth is not on 127.0.0.1 any more (error 404)."),
        (403, "127.0.0.1 does not let everybody download net.pth (error 403)."),
        (400, "127.0.0.1 refuses to send net.pth (error 400)."),
        (503, "127.0.0.1 cannot send net.pth just now (error 503)."),
    ],
)
def test_what_a_server_refuses_is_one_sentence(server: Server, tmp_path: Path, code: int, words: str) -> None:
    server.errors = [code] * 10
    with pytest.raises(DownloadFailed) as caught:
        get(server, tmp_path)
    assert str(caught.value) == words
    assert "import it" in caught.value.hint
    assert len(server.asked) == (5 if code == 503 else 1)


def test_a_server_that_is_busy_once_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.errors = [503, 429]
    assert get(server, tmp_path).read_bytes() == CONTENT


def test_a_web_page_is_no_weights(server: Server, tmp_path: Path) -> None:
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(DownloadFailed, match=r"127\.0\.0\.1 sent a web page instead of net\.pth\."):
        get(server, tmp_path)


def test_no_network_is_said_at_once(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PAUSES", (10.0,))
    with serving() as gone:
        address = gone.address
    started = time.monotonic()
    with pytest.raises(DownloadFailed, match=r"^There is no connection to 127\.0\.0\.1\.$") as caught:
        fetch(f"{address}/net.pth", tmp_path / "net.pth", Progress(), most=PLENTY)
    assert "Check the network" in caught.value.hint
    assert time.monotonic() - started < 5


def test_a_redirect_is_followed_also_for_the_rest(server: Server, tmp_path: Path) -> None:
    server.breaks = [500_000]
    path = fetch(f"{server.address}/moved/net.pth", tmp_path / "net.pth", Progress(), most=PLENTY)
    assert path.read_bytes() == CONTENT
    assert server.asked == ["", "", "bytes=500000-", "bytes=500000-"]


def test_a_redirect_leads_neither_to_a_file_nor_away_from_encryption(server: Server, tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(b"secret")
    server.moved = f"file://{tmp_path}"
    with pytest.raises(DownloadFailed):
        fetch(f"{server.address}/moved/net.pth", tmp_path / "copy.pth", Progress(), most=PLENTY)
    assert not (tmp_path / "copy.pth").exists()
    request = urllib.request.Request("https://example.org/net.pth")
    with pytest.raises(urllib.error.HTTPError, match="without encryption"):
        fetching._Redirect().redirect_request(request, BytesIO(), 302, "Found", {}, "http://example.org/net.pth")


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/net.pth"])
def test_nothing_but_http_is_opened(tmp_path: Path, url: str) -> None:
    with pytest.raises(DownloadFailed):
        fetch(url, tmp_path / "net.pth", Progress(), most=PLENTY)
    assert not (tmp_path / "net.pth").exists()


def test_cancel_comes_through_while_the_server_is_silent(server: Server, tmp_path: Path) -> None:
    server.gate.clear()
    progress = Progress()

    def stop() -> None:
        server.started.wait(10)
        time.sleep(0.2)  # let the first piece arrive; the second never does
        progress.cancel()

    thread = threading.Thread(target=stop)
    thread.start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        get(server, tmp_path, progress)
    assert time.monotonic() - started < 3, "it waited for the silent server"
    thread.join()
    server.gate.set()
    assert (tmp_path / "net.pth.part").stat().st_size == 50_000, "what came is kept"
    assert get(server, tmp_path).read_bytes() == CONTENT
    assert server.asked[-1].startswith("bytes=")


def test_a_full_disk_is_one_sentence_before_and_while_it_comes(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 100_000

    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: Usage)
    with pytest.raises(DownloadFailed, match=r"^The disk is too full for net\.pth\.$") as caught:
        get(server, tmp_path)
    assert str(tmp_path) in caught.value.hint
    monkeypatch.undo()

    def full(download: Any, file: Any, response: Any, most: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(fetching._Download, "_take", full)
    with pytest.raises(DownloadFailed, match="too full"):
        get(server, tmp_path)
