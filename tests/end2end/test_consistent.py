"""`facestudio anonymize --consistent` with the weights that ship: one person in several photos becomes one new person.

The person is scikit-image's public-domain portrait, the stranger one whom the starter prior draws.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from facestudio.cli.main import run
from facestudio.methods.base import Wish
from facestudio.progress import Progress
from facestudio.secret import Secret
from facestudio.studio import Studio

data = pytest.importorskip("skimage.data")

KEY = "Face Studio key 1: who has it can give people the same new faces again\n" + "42" * 32 + "\n"
METHOD = ["--method", "redraw", "--consistent", "--similar", "--change", "1.0", "--steps", "4", "--quiet"]


def portrait() -> Image.Image:
    return Image.fromarray(data.astronaut()).crop((125, 10, 325, 210)).resize((256, 256))


def stranger() -> Image.Image:
    studio = Studio("cpu")
    method: Any = studio._method("starter-prior")
    who = studio._people(method).draw(101)
    (pixels,) = method(Wish(identity=who), [12], method.Options(steps=6), Progress())
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    portrait().save(folder / "a.png")
    ImageEnhance.Brightness(ImageOps.mirror(portrait())).enhance(0.8).save(folder / "b.png")
    stranger().save(folder / "c.png")
    portrait().resize((190, 190)).save(folder / "d.png")
    return folder


def records(report: Path) -> dict[str, Any]:
    return {Path(r["input"]).name: r for r in map(json.loads, report.read_text().splitlines())}


def test_a_person_is_recognised_in_all_photos_and_nobody_else(photos: Path) -> None:
    studio = Studio("cpu")
    album = studio.album("starter-redraw", Secret(bytes(32)))
    album.look(sorted(photos.iterdir()), lambda photo, progress: (studio.detect(photo, progress)[:1], None), Progress())
    album.assign(Progress())
    one, again, other, small = (album.cast(studio.open(path)).token(0) for path in sorted(photos.iterdir()))
    assert one == again == small and one != other and album.people == 2


def test_one_new_person_in_all_photos_kept_by_the_key_and_nothing_of_the_old_one(
    photos: Path, tmp_path: Path, own_folders: Path
) -> None:
    out, key = tmp_path / "out", tmp_path / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    command = ["anonymize", str(photos), "-o", str(out), *METHOD, "--faces", "largest", "--key", str(key)]
    assert run(command) == 0
    told = records(tmp_path / "out-report.jsonl")
    persons = {name: record["faces"][0].get("person") for name, record in told.items()}
    assert len({persons[name] for name in "a.png b.png d.png".split() if persons[name]}) == 1, persons
    assert sum(persons[name] is not None for name in ("a.png", "b.png", "d.png")) >= 2, "nothing was proved"
    assert persons["c.png"] != persons["a.png"]

    (out / "a.png").unlink()
    assert run([*command, "--resume"]) == 0
    again = records(tmp_path / "out-report.jsonl")
    assert {name: record["faces"][0].get("person") for name, record in again.items()} == persons
    assert (out / "a.png").is_file() and again["b.png"] == told["b.png"]

    studio = Studio("cpu")
    photo = studio.open(photos / "a.png")
    vectors = [identity.embedding for identity in studio.identity(photo, studio.largest_face(photo)).values()]
    assert len(vectors) == 3
    written = b"".join(p.read_bytes() for at in (tmp_path, own_folders) for p in sorted(at.rglob("*")) if p.is_file())
    for vector in vectors:
        for start in range(0, len(vector), 4):
            some = vector[start : start + 4]
            assert some.tobytes() not in written and some.astype(np.float64).tobytes() not in written
        assert not all(f"{value:.4f}".lstrip("-").encode() in written for value in vector[:20])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--method", "redraw", "--key", "KEY"], "--key holds the secret of --consistent"),
        (["--method", "redraw", "--consistent", "--key", "OUT/key"], "beside the photos"),
        (
            ["--method", "redraw", "--consistent", "--resume"],
            "A run with --consistent can be resumed only with its key",
        ),
        (["--method", "blur", "--consistent"], "does not replace people by others"),
        (["--method", "solid", "--similar"], "does not replace people by others"),
    ],
)
def test_wrong_usage_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    photo, out = tmp_path / "in" / "photo.png", tmp_path / "out"
    photo.parent.mkdir()
    Image.new("RGB", (64, 64)).save(photo)
    given = [one.replace("OUT", str(out)).replace("KEY", str(tmp_path / "key")) for one in arguments]
    assert run(["anonymize", str(photo.parent), "-o", str(out), *given]) == 2
    assert words in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_a_file_that_is_no_key_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, key = tmp_path / "photo.png", tmp_path / "letter.txt"
    Image.new("RGB", (64, 64)).save(photo)
    key.write_text("Dear friend")
    assert run(["anonymize", str(photo), "-o", str(tmp_path / "out"), *METHOD, "--key", str(key)]) == 2
    assert "not a Face Studio key" in capsys.readouterr().err and key.read_text() == "Dear friend"
