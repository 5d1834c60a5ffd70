"""The commands under `facestudio weights`, as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from facestudio import fetching, importing, store
from facestudio.checkpoints import checkpoint, verify
from facestudio.cli.main import run
from facestudio.studio import Studio
from tests import published
from tests.published import LICENCE, Server
from tests.unit.test_importing import in_this_process


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert in this process; that another one does it is test_importing's."""
    monkeypatch.setattr(importing, "run", in_this_process)
    monkeypatch.setattr("facestudio.conversion.limit_memory", lambda more: None)
    monkeypatch.setattr(fetching, "PAUSES", (0.01,))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The manifest names published weights, and their files can be fetched."""
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(tmp_path / "weights"))
    with published.serving() as server:
        tables = published.tables(server.address)
        tables["tiny"] |= {"method": "quick:Quick", "goal": "keep"}
        published.write_manifest(tmp_path / "weights", tables)
        published.write_tiny(tmp_path / "tiny.ckpt")
        server.files["tiny.ckpt"] = (tmp_path / "tiny.ckpt").read_bytes()
        yield server


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    """What `facestudio weights ARGUMENTS` says on standard output and error."""
    assert run(["weights", *arguments]) == code
    return capsys.readouterr()


def test_the_list_says_what_a_user_must_know(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = said(capsys, "list")
    assert "tiny: Tiny (Proves a point, method quick; about 0.2 MB; not installed (optional))" in out
    assert f"  licence: {LICENCE}; from https://example.org/weights" in out
    said(capsys, "import", "tiny", str(tmp_path / "tiny.ckpt"))
    rows = {row["id"]: row for row in json.loads(said(capsys, "list", "--json")[0])}
    assert {id: row["state"] for id, row in rows.items()} == {"tiny": "present", "pair": "missing", "shapes": "missing"}
    assert rows["tiny"]["files"] == ["tiny.ckpt"] and rows["tiny"]["bytes"] > 20_000
    assert rows["tiny"]["published"] and rows["tiny"]["here"] and not rows["tiny"]["accepted"]
    assert rows["pair"]["accepted"], "its licence asks for nothing"
    checkpoint("tiny").files["weights"].path.write_bytes(b"short")
    assert "CORRUPT" in said(capsys, "list")[0]
    assert server.asked == []


def test_a_script_must_say_that_it_accepts_the_licence(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = said(capsys, "get", "tiny", code=2)
    assert f"Licence: {LICENCE}" in out, "shown before"
    assert err.startswith("Error: The licence of Tiny was not accepted, so nothing was downloaded.")
    assert "--accept-licence" in err and len(err.splitlines()) == 1
    assert server.asked == []
    out, _ = said(capsys, "get", "tiny", "--accept-licence")
    assert "tiny is here (0." in out and "used by --method quick" in out
    assert store.accepted("tiny", LICENCE)
    assert "here already" in said(capsys, "get", "tiny")[0]
    assert len(server.asked) == 1
    said(capsys, "remove", "tiny")
    said(capsys, "get", "tiny")
    assert len(server.asked) == 2, "accepted once is enough"


def test_damaged_weights_are_fetched_anew(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "get", "tiny", "--accept-licence")
    path = checkpoint("tiny").files["weights"].path
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    out, _ = said(capsys, "verify", code=1)
    assert out.splitlines() == ["tiny: corrupt"], "what is not here is nobody's fault"
    said(capsys, "get", "tiny")
    assert verify(checkpoint("tiny")) == "present"
    assert len(server.asked) == 2


def test_verify_asked_about_one_that_is_not_here_says_so(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "verify")[0] == ""
    assert said(capsys, "verify", "pair", code=1)[0] == "pair: missing\n"
    assert json.loads(said(capsys, "verify", "pair", "--json", code=1)[0]) == [{"id": "pair", "state": "missing"}]
    assert "There are no weights called nothing. Available: " in said(capsys, "verify", "nothing", code=1)[1]
    assert "There are no weights called pairs. Did you mean pair?" in said(capsys, "verify", "pairs", code=1)[1]


def test_import_tells_what_is_still_missing(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published.write_pair(tmp_path)
    out, _ = said(capsys, "import", "pair", str(tmp_path / "first.pth"))
    assert out == "pair is here in part: second.pth is still missing.\n"
    (tmp_path / "second.pth").rename(tmp_path / "x.bin")
    out, _ = said(capsys, "import", "pair", str(tmp_path / "x.bin"), "--part", "restorer")
    assert out.startswith("pair is here (")
    assert verify(checkpoint("pair")) == "present"


def test_errors_are_one_sentence(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.ckpt").write_bytes(b"\x80nonsense")
    cases = {
        ("import", "tiny", str(tmp_path / "bad.ckpt")): (1, "bad.ckpt is damaged, or is not a weights file."),
        ("import", "tiny", str(tmp_path / "gone.ckpt")): (1, "There is no file gone.ckpt."),
        ("import", "other", str(tmp_path / "bad.ckpt")): (1, "There are no weights called other."),
        ("get", "shapes"): (2, "Shapes is on no server that programs may download from."),
        ("get", "pair"): (1, "first.pth is not on 127.0.0.1 any more (error 404)."),
        ("remove", "pair"): (1, "pair is not installed, so there is nothing to remove."),
    }
    for arguments, (code, words) in cases.items():
        out, err = said(capsys, *arguments, code=code)
        assert err.startswith(f"Error: {words}"), arguments
        assert len(err.splitlines()) == 1 and "Traceback" not in out + err


def test_remove_says_what_is_free_again(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "import", "tiny", str(tmp_path / "tiny.ckpt"))
    out, _ = said(capsys, "remove", "tiny")
    assert out.startswith("tiny was removed; 0.") and out.endswith(" MB are free again.\n")
    assert verify(checkpoint("tiny")) == "missing"


def test_starter_weights_stay(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("get", "remove"):
        assert "comes with Face Studio" in said(capsys, words, "starter-detector", code=2)[1]
    assert checkpoint("starter-detector").here


def test_the_studio_offers_what_is_here_and_the_doctor_complains_of_what_is_damaged(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    studio = Studio("cpu")
    assert studio.restore_checkpoints() == []
    weights = {finding.name for finding in studio.doctor() if finding.name.startswith("Weights")}
    assert weights == set()
    _, err = capsys.readouterr(), run(["restore", "x.png", "-o", str(tmp_path), "--method", "quick"])
    assert "`facestudio weights get tiny`" in capsys.readouterr().err
    assert err == 2
    said(capsys, "import", "tiny", str(tmp_path / "tiny.ckpt"))
    assert [entry.id for entry in studio.restore_checkpoints()] == ["tiny"]
    tables = published.tables(server.address)
    tables["tiny"] |= {"method": "quick:Quick", "goal": "keep"}
    ours = {"path": "ours.safetensors", "sha256": "0" * 64, "bytes": 3}
    tables["zeta"] = {**tables["tiny"], "source": "starter", "files": {"weights": ours}}
    published.write_manifest(tmp_path / "weights", tables)
    assert [entry.id for entry in studio.restore_checkpoints()] == ["zeta", "tiny"], "the default stays what it was"
    published.write_manifest(tmp_path / "weights", {"tiny": tables["tiny"]})
    assert [(f.ok, f.detail) for f in studio.doctor() if f.name == "Weights tiny"] == [(True, "present")]
    checkpoint("tiny").files["weights"].path.write_bytes(b"short")
    (finding,) = [f for f in studio.doctor() if f.name == "Weights tiny"]
    assert (finding.ok, finding.detail) == (False, "corrupt")
    assert "facestudio weights get tiny" in finding.hint


def test_loaded_weights_are_forgotten_when_they_change() -> None:
    studio = Studio("cpu")
    for key in ("method tiny", "embedder tiny", "method tiny-too", "detector"):
        studio._keep(key, object)
    studio.forget("tiny")
    assert set(studio._kept) == {"method tiny-too", "detector"}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals")
@pytest.mark.parametrize("answer", ["n", "y"])
def test_a_person_is_asked(server: Server, answer: str) -> None:
    """In a real terminal: the licence, the question, and what follows from the answer."""
    import pty

    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "facestudio", "weights", "get", "tiny"], stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    os.write(master, f"{answer}\n".encode())
    told = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:  # the other end is closed
            break
        told += piece
        if not piece:
            break
    code = child.wait(120)
    os.close(master)
    words = told.decode()
    assert words.index(LICENCE) < words.index("Do you accept this licence?")
    if answer == "y":
        assert code == 0 and verify(checkpoint("tiny")) == "present"
    else:
        assert code == 2 and "was not accepted, so nothing was downloaded" in words
        assert server.asked == [] and not store.accepted("tiny", LICENCE)
