"""Folders for results: made when they are missing, and tried before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from facestudio import files
from facestudio.errors import UnwritableOutput


def test_a_folder_is_made_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    files.make_folder(tmp_path / "new" / "deeper")
    files.make_folder(tmp_path / "new" / "deeper")
    assert list((tmp_path / "new" / "deeper").iterdir()) == []


def test_nothing_is_left_where_files_without_names_are_not_to_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(files.os, "O_TMPFILE", raising=False)
    files.make_folder(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_that_cannot_be_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("in the way")
    with pytest.raises(UnwritableOutput, match="Nothing can be written into the folder out: not a directory."):
        files.make_folder(blocked / "out")

    def refuse(beside: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "_new_file", refuse)
    with pytest.raises(UnwritableOutput, match="permission denied"):
        files.make_folder(tmp_path / "locked")


def test_photos_of_one_name_are_told_apart_by_as_many_folders_as_that_takes() -> None:
    paths = [Path(name) for name in ("/album/a.jpg", "/album/1920/b.jpg", "/album/1931/b.jpg", "/album/b.jpg")]
    assert list(files.told_apart(paths).values()) == ["a.jpg", "1920/b.jpg", "1931/b.jpg", "album/b.jpg"]
    deep = [Path("/x/summer/b.jpg"), Path("/y/summer/b.jpg")]
    assert list(files.told_apart(deep).values()) == ["x/summer/b.jpg", "y/summer/b.jpg"]
    assert files.told_apart([Path("b.jpg"), Path("b.jpg"), Path("summer/b.jpg")]) == {
        Path("b.jpg"): "b.jpg",
        Path("summer/b.jpg"): "summer/b.jpg",
    }
    assert files.told_apart([]) == {}
