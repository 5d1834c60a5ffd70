"""A secret: the same answers for the same words, a file of its owner's alone, and never beside what it belongs to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from facestudio.errors import UnwritableOutput, UsageError
from facestudio.secret import Secret, check_place, open_key


def test_a_secret_says_the_same_for_the_same_words_and_another_one_something_else() -> None:
    one, other = Secret(bytes(32)), Secret(bytes([1] * 32))
    assert one.token("a", "b") == Secret(bytes(32)).token("a", "b") != other.token("a", "b")
    assert one.token("a", "b") != one.token("ab") != one.token("a")
    assert one.seed("a") == Secret(bytes(32)).seed("a") != other.seed("a") and 0 <= one.seed("a") < 2**63
    assert Secret().token("a") != Secret().token("a"), "without a file every run has its own"
    assert bytes(32).hex() not in repr(one) and one.name != other.name
    with pytest.raises(ValueError, match="32"):
        Secret(b"short")


def test_a_key_is_made_for_its_owner_alone_and_read_again(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made, warning = open_key(tmp_path / "key")
    finally:
        os.umask(before)
    assert warning == "" and stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    again, warning = open_key(tmp_path / "key")
    assert (again.token("a"), warning) == (made.token("a"), "")
    (tmp_path / "key").chmod(0o644)
    assert "chmod 600" in open_key(tmp_path / "key")[1]


def test_a_key_lies_never_beside_the_photos(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "link").symlink_to(out)
    for place in (out / "key", tmp_path / "link" / "deep" / "key", out / ".." / "out" / "key"):
        with pytest.raises(UsageError, match="beside the photos"):
            check_place(place, out)
    check_place(tmp_path / "key", out)


def test_another_file_is_neither_taken_nor_touched(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff" * 10)
    (tmp_path / "large").write_bytes(b"x" * 5000)
    for name in ("photo.jpg", "large", "."):
        with pytest.raises(UsageError, match="key"):
            open_key(tmp_path / name)
    assert (tmp_path / "photo.jpg").read_bytes() == b"\xff\xd8\xff" * 10
    with pytest.raises(UnwritableOutput, match="cannot be made"):
        open_key(tmp_path / "nowhere" / "key")
