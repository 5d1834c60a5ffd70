"""Numbers on the command line: whatever is written in their place, the answer is one plain, short sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from facestudio.cli.main import run
from tests.fakes import picture, write_picture

DIGITS = "7" * 5000
SHORT = 500  # letters of what is said


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_picture(tmp_path / "a.png", picture(20, 20))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is complained of; checks that nothing else comes of it."""
    assert run(list(arguments)) == 2, arguments
    words = capsys.readouterr().err.strip()
    assert words.startswith("Error: ") and "\n" not in words and len(words) < SHORT, words
    assert "Input should" not in words and "Traceback" not in words
    assert os.listdir() == ["a.png"]
    return words.removeprefix("Error: ")


@pytest.mark.parametrize("value", ["", "nan", "text", "5.5", "1e400", "²", "7\n8"])
def test_what_is_no_whole_number_is_said_to_be_none(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["restore", "a.png", "-o", "out"], ["anonymize", "a.png", "-o", "out"], ["generate", "-o", "out"]):
        assert said(capsys, *command, "--seed", value).startswith("--seed takes a whole number, not ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("restore a.png -o out --seed -1", "--seed takes at least 0, not -1."),
        (f"restore a.png -o out --seed {2**63}", f"--seed takes at most {2**63 - 1}, not {2**63}."),
        (f"restore a.png -o out --seed {DIGITS}", "--seed takes a whole number of fewer digits, not 777"),
        ("restore a.png -o out --upscale 3", "--upscale takes 1, 2 or 4, not 3."),
        ("restore a.png -o out --far 0", "--far takes at least 1e-06, not 0."),
        ("restore a.png -o out --far nan", "--far takes at most 0.5, not nan."),
        ("restore a.png -o out --far x", "--far takes a number, not x."),
        ("restore a.png -o out --strength nan", "Strength takes a number, not nan."),
        ("restore a.png -o out --steps x", "--steps takes a whole number, not x."),
        ("restore a.png -o out --faces -1", "--faces takes"),
        (f"restore a.png -o out --faces {DIGITS}", "--faces takes"),
        ("restore a.png -o out --box nan,1,50,50", "--box takes"),
        ("restore a.png -o out --box 1,1,inf,50", "--box takes"),
        ("detect a.png --box 50,50,1,1", "--box takes"),
        (f"compare a.png a.png --judges {DIGITS}", "Judges are all or starter, not 777"),
        ("anonymize a.png -o out --tries 0", "--tries takes at least 1, not 0."),
        ("anonymize a.png -o out --engine ray --workers -2", "--workers takes at least 1, not -2."),
        ("generate -o out --count -4", "--count takes at least 1, not -4."),
        (f"generate -o out --count {DIGITS}", "--count takes a whole number of fewer digits, not 777"),
        ("generate -o out --walk 7", "Option '--walk' requires 2 arguments."),
        ("generate --walk 7 -o out", "Missing option '-o' / '--output'. --walk takes two people, such as --walk 3 7."),
        ("generate -o out --person -3", '"-3" names nobody: it is neither a seed, a whole number from 0 to'),
        ("generate -o out --person 7.5", '"7.5" names nobody'),
        (f"generate -o out --person {DIGITS}", "A seed is a whole number from 0 to"),
        (f"generate -o out --walk 1 {DIGITS}", "A seed is a whole number from 0 to"),
        (f"generate -o out --walk -{DIGITS} 1", '"-777'),
        (
            f"generate -o out --identities 9 --shard 3/{DIGITS}",
            "--shard takes a part and the number of parts, such as 3/8",
        ),
        (
            f"generate -o out --identities 9 --shard {DIGITS}/8",
            "--shard takes a part and the number of parts, such as 3/8",
        ),
        ("generate -o out --identities 9 --shard 0/8", "There is no part 0 of 8"),
        ("generate -o out --identities 9 --shard -1/8", "--shard takes a part"),
        ("generate -o out --identities -9", "--identities takes at least 1, not -9."),
        ("generate -o out --identities 9 --per-identity 0", "--per-identity takes at least 1, not 0."),
        ("generate -o out --person 1 --vary nan", "--vary takes at most 0.5, not nan."),
        ("generate -o out --slider age=nan", "The slider age takes a number, not nan."),
        (f"generate -o out --slider age={DIGITS}", "The slider age takes a number, not inf."),
        ("generate -o out --face -1", "--face takes at least 0, not -1."),
    ],
)
def test_numbers_that_make_no_sense_are_a_sentence(
    arguments: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, *arguments.split(" ")).startswith(words)


def test_an_empty_person_is_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "generate", "-o", "out", "--person", "").startswith('"" names nobody')
