"""The journal of a batch: what it believes, what it does not, and who may write."""

from __future__ import annotations

import os
import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest

from facestudio import paths
from facestudio.errors import DiskFull, UnwritableOutput, UsageError
from facestudio.journal import CHANGED, DAMAGED, DONE, FAILED, OTHER, UNKNOWN, Journal


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A photo's file and its result's."""
    source, target = tmp_path / "in.jpg", tmp_path / "out" / "in.jpg"
    target.parent.mkdir()
    source.write_bytes(b"a photo")
    target.write_bytes(b"a result")
    return source, target


def entered(pair: tuple[Path, Path], settings: str = "blur") -> Journal:
    source, target = pair
    with Journal(target.parent, settings) as journal:
        journal.write(source, {"status": "ok", "output": str(target)}, target, sha256(b"a result").hexdigest())
    return Journal(target.parent, settings)


def test_a_result_that_is_as_it_was_written_is_done(pair: tuple[Path, Path]) -> None:
    with entered(pair) as journal:
        assert journal.state(*pair) == DONE
        assert journal.record(pair[0]) == {"status": "ok", "output": str(pair[1])}
        assert journal.path.is_relative_to(paths.data_dir())


@pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")
def test_nobody_else_reads_it_as_it_names_the_originals(pair: tuple[Path, Path]) -> None:
    runs = paths.data_dir() / "runs"
    runs.mkdir(parents=True)
    runs.chmod(0o755)  # as a version before made it
    with entered(pair) as journal:
        assert journal.path.parent == runs and runs.stat().st_mode & 0o077 == 0


def test_existence_proves_nothing(pair: tuple[Path, Path]) -> None:
    source, target = pair
    with Journal(target.parent, "blur") as journal:
        assert journal.state(source, target) == UNKNOWN
        with pytest.raises(KeyError):
            journal.record(source)


def test_that_a_photo_failed_is_known_until_it_or_the_settings_are_others(pair: tuple[Path, Path]) -> None:
    source, target = pair
    target.unlink()
    with Journal(target.parent, "blur") as journal:
        journal.write(source, {"status": "failed", "output": None, "error": "It is damaged."})
        assert journal.state(source, target) == FAILED
        assert journal.record(source)["error"] == "It is damaged."
        target.write_bytes(b"somebody else's")
        assert journal.state(source, target) == UNKNOWN
        target.unlink()
    with Journal(target.parent, "solid") as journal:
        assert journal.state(source, target) == UNKNOWN
    source.write_bytes(b"another photo")
    with Journal(target.parent, "blur") as journal:
        assert journal.state(source, target) == UNKNOWN


def test_results_that_are_there_are_told_whosever_photo_is_gone(pair: tuple[Path, Path]) -> None:
    source, target = pair
    with entered(pair) as journal:
        journal.write(source.with_name("other.jpg"), {"status": "skipped", "output": None})
        source.unlink()
        record = {"status": "ok", "output": str(target)}
        assert list(journal.results()) == [(source, target, record, True)]
        target.write_bytes(b"changed")
        assert list(journal.results()) == [(source, target, record, False)]
        target.unlink()
        assert list(journal.results()) == []


def test_what_was_named_in_advance_and_never_came_is_unknown(pair: tuple[Path, Path]) -> None:
    source, target = pair
    journal = entered(pair)
    target.unlink()
    with journal:
        assert journal.state(source, target) == UNKNOWN
        assert journal.state(source, target.with_name("other.jpg")) == UNKNOWN


def test_damage_other_settings_and_another_photo_are_told_apart(pair: tuple[Path, Path]) -> None:
    source, target = pair
    with entered(pair):
        pass
    with Journal(target.parent, "pixelate") as journal:
        assert journal.state(source, target) == OTHER
    source.write_bytes(b"another photo")
    with Journal(target.parent, "blur") as journal:
        assert journal.state(source, target) == CHANGED
    target.write_bytes(b"a resul")
    with Journal(target.parent, "blur") as journal:
        assert journal.state(source, target) == DAMAGED


def test_an_outcome_without_a_file_is_remembered_too(pair: tuple[Path, Path]) -> None:
    source, target = pair
    with Journal(target.parent, "blur") as journal:
        journal.write(source, {"status": "needs review", "output": None})
    with Journal(target.parent, "blur") as journal:
        assert journal.state(source, target) == DONE


def test_one_writer_a_folder(pair: tuple[Path, Path]) -> None:
    out = pair[1].parent
    with Journal(out, "blur") as journal:
        token = journal.token
        with pytest.raises(UsageError, match="Another Face Studio is at work") as caught:
            Journal(out / ".." / out.name, "solid").__enter__()
        assert caught.value.hint
        with Journal(pair[0].parent, "blur") as other:
            assert other.token != token
    with Journal(out, "blur") as journal:
        assert journal.token == token


def test_names_that_are_no_text_are_names(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.jpg"))
    with Journal(tmp_path, "blur") as journal:
        journal.write(odd, {"status": "skipped", "output": None, "input": str(odd)})
        assert journal.record(odd)["input"] == str(odd)


def test_what_is_no_journal_is_said(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "blur")
    journal.path.parent.mkdir(parents=True)
    journal.path.write_bytes(b"nothing that SQLite knows" * 100)
    with pytest.raises(UnwritableOutput, match="cannot be used") as caught:
        journal.__enter__()
    assert str(journal.path) in str(caught.value) and caught.value.hint


def test_a_journal_of_another_version_is_begun_anew(pair: tuple[Path, Path]) -> None:
    journal = entered(pair)
    with sqlite3.connect(journal.path) as database:
        database.execute("PRAGMA user_version = 77")
    database.close()
    with journal:
        assert journal.state(*pair) == UNKNOWN


def test_a_full_disk_is_told_apart(tmp_path: Path) -> None:
    with Journal(tmp_path, "blur") as journal:
        database = journal._database
        assert database is not None
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(DiskFull):
            for number in range(200):
                journal.write(tmp_path / f"{number}.jpg", {"status": "ok", "output": None, "words": "x" * 500})


def test_a_closed_journal_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="closed"):
        Journal(tmp_path, "blur").state(tmp_path / "a", tmp_path / "b")


def test_what_stands_there_is_put_back(pair: tuple[Path, Path]) -> None:
    source, target = pair
    with entered(pair) as journal:
        before = journal.entry(source)
        assert before is not None and before.settings == "blur"
    with Journal(target.parent, "pixelate") as journal:
        assert journal.entry(source.with_name("other.jpg")) is None
        journal.write(source, {"status": "partial"})
        journal.put(source, before)
        assert journal.entry(source) == before and journal.state(*pair) == OTHER
        journal.put(source, None)
        assert journal.entry(source) is None and journal.state(*pair) == UNKNOWN
        journal.put(source, before)
    with Journal(target.parent, "blur") as journal:
        assert journal.state(*pair) == DONE
