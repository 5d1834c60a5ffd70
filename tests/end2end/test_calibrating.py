"""A published recogniser from its file to a judge: imported, calibrated on people who were drawn, and heard from then on."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from facestudio import importing, own_people, paths, store
from facestudio.anonymize_settings import Effort
from facestudio.checkpoints import checkpoint
from facestudio.cli.main import run
from facestudio.errors import CheckpointMissing, UsageError
from facestudio.faces.calibration import threshold_at
from facestudio.generating import Commission
from facestudio.photo import Photo, to_tensor
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from facestudio.training.export import dump
from tests import published
from tests.fakes import write_picture
from tests.unit.test_importing import in_this_process

PEOPLE, EACH = 8, 3
STARTERS = ["starter-embedder-a", "starter-embedder-b", "starter-embedder-c"]


@pytest.fixture(scope="module")
def drawn() -> list[np.ndarray]:
    """People who do not exist, (256, 256, 3) uint8 RGB each, by the starter prior in a few steps."""
    studio = Studio("cpu")
    recipe = Recipe("starter-prior", "arc2face", {}, seed=5)
    return [portrait.photo.pixels for portrait in studio.generate(recipe, Commission(PEOPLE, draft=True)).portraits]


@pytest.fixture(scope="module")
def people(drawn: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder: pictures of each person, moved, lit and mirrored."""
    folder, random = tmp_path_factory.mktemp("people"), np.random.default_rng(0)
    for person, pixels in enumerate(drawn):
        for take in range(EACH):
            matrix = cv2.getRotationMatrix2D((128, 128), random.uniform(-8, 8), random.uniform(0.85, 1.1))
            moved = cv2.warpAffine(pixels, matrix, (256, 256), borderMode=cv2.BORDER_REFLECT)
            lit = np.clip(moved * random.uniform(0.7, 1.1, 3) + random.uniform(-15, 15), 0, 255).astype(np.uint8)
            write_picture(folder / f"{person:02d}" / f"{take}.png", lit[:, ::-1] if take % 2 else lit)
    return folder


@pytest.fixture(scope="module")
def tiny(drawn: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small recogniser by chance, whose normalisations have seen faces."""
    network = published.network(published.BACKBONE, seed=2).train()
    crops = [cv2.resize(pixels[40:232, 32:224], (112, 112), interpolation=cv2.INTER_AREA) for pixels in drawn]
    with torch.no_grad():
        for _ in range(30):
            network(to_tensor(np.stack(crops)))
    file = tmp_path_factory.mktemp("published") / "tiny.ckpt"
    torch.save(network.eval().state_dict(), file)
    return file


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped weights, and an entry for the published recogniser "tiny"."""
    folder, shipped = tmp_path / "weights", paths.weights_dir()
    folder.mkdir()
    for file in shipped.glob("*.safetensors"):
        (folder / file.name).symlink_to(file)
    document = tomllib.loads((shipped / "manifest.toml").read_text())
    table = {**published.tables()["tiny"], **published.BACKBONE, "accept": False}
    document["checkpoints"] = {"a-tiny-one": table, **document["checkpoints"]}
    (folder / "manifest.toml").write_text(dump(document))
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(folder))
    monkeypatch.setattr(importing, "run", in_this_process)
    monkeypatch.setattr("facestudio.conversion.limit_memory", lambda more: None)
    monkeypatch.setattr(own_people, "LEAST_PEOPLE", PEOPLE - 2)  # drawing more takes long
    return folder


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    """What a command says on standard output, or on standard error when it ends with another `code`."""
    assert run([str(argument) for argument in arguments]) == code
    out, err = capsys.readouterr()
    return err if code else out


def test_a_recogniser_from_its_file_to_a_judge_that_is_heard(
    weights: Path,
    people: Path,
    tiny: Path,
    drawn: list[np.ndarray],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said(capsys, "weights", "import", "a-tiny-one", tiny)
    studio = Studio("cpu")
    assert [embedder.id for embedder in studio._embedders()] == STARTERS
    listed = said(capsys, "weights", "list")
    assert "not calibrated, so it judges nothing; `facestudio weights calibrate a-tiny-one FOLDER`" in listed

    before = {path: path.read_bytes() for path in people.rglob("*.png")}
    record = json.loads(said(capsys, "weights", "calibrate", "a-tiny-one", people, "--json", "--device", "cpu"))
    assert (record["people"], record["faces"], record["left_out"]) == (PEOPLE, PEOPLE * EACH, [])
    assert record["same_pairs"] == PEOPLE * EACH * (EACH - 1) // 2
    assert record["too_few_pairs_for"] == ["1e-02", "1e-03", "1e-04"]
    assert {path: path.read_bytes() for path in people.rglob("*.png")} == before
    kept = {path.name for path in store.folder("a-tiny-one").iterdir()}
    assert kept == {"weights.json", "weights.safetensors", "own-calibration"}
    assert not any(
        name in (store.folder("a-tiny-one") / "own-calibration").read_text() for name in (".png", "embedding")
    )
    entry = checkpoint("a-tiny-one")
    assert entry.own is not None and entry.own.weights == entry.files["weights"].sha256 == record["weights"]
    low, high = (record["calibration"][name]["1e-01"] for name in ("thresholds_low", "thresholds_high"))
    assert low <= threshold_at(entry.calibration, 1e-1) <= high

    studio = Studio("cpu")
    assert [embedder.id for embedder in studio._embedders()] == [*STARTERS, "a-tiny-one"], "ours first"
    one, again = (studio.open(people / "01" / f"{take}.png") for take in (0, 2))
    comparison = studio.compare(one, again)
    assert list(comparison.verdicts) == [*STARTERS, "a-tiny-one"]
    assert comparison.verdicts["a-tiny-one"].far == 0.1, "rarer strangers were not measured"
    assert comparison.summary is not None and comparison.summary.score is not None, "the panel still sums up its own"
    assert comparison.summary.far == 1e-3

    photo = Photo.from_pixels(drawn[1])
    faces = studio.detect(photo)
    blur = Recipe("blur", "blur", {"radius": 25.0})
    known = studio.anonymize(photo, faces, blur, effort=Effort(1, None))
    assert known.status == "needs review"
    assert str(known.faces[0].error).startswith("a-tiny-one says same person")
    ours = Studio("cpu", judges="starter")
    assert ours.anonymize(photo, faces, blur, effort=Effort(1, None)).status == "verified", (
        "it alone still knew the person"
    )
    assert studio.own_judges() and not ours.own_judges()

    pair = ("compare", people / "01" / "0.png", people / "01" / "2.png", "--json", "--device", "cpu")
    record = json.loads(said(capsys, *pair))
    assert record["far"] == {**dict.fromkeys(STARTERS, 1e-3), "a-tiny-one": 0.1}
    assert set(record["cosine"]) == set(record["far"])
    assert set(json.loads(said(capsys, *pair, "--judges", "starter"))["cosine"]) == set(STARTERS)
    out = tmp_path / "out"
    hide = (
        "anonymize",
        people / "03" / "0.png",
        "-o",
        out,
        "--method",
        "solid",
        "--device",
        "cpu",
        "--quiet",
    )

    def judged() -> set[str]:
        return set(json.loads((tmp_path / "out-report.jsonl").read_text())["faces"][0]["similarity"])

    assert run([str(argument) for argument in hide]) in (0, 1)  # with chance for a judge even a block may be doubted
    capsys.readouterr()
    assert judged() == {*STARTERS, "a-tiny-one"}
    told = said(capsys, *hide, "--resume", "--judges", "starter", code=1)
    assert "made with other settings" in told, "who judged is one of them"
    said(capsys, *hide, "--resume", "--judges", "starter", "--overwrite")
    assert judged() == set(STARTERS)

    assert "was forgotten" in said(capsys, "weights", "calibrate", "a-tiny-one", "--reset")
    assert not checkpoint("a-tiny-one").recognises and not Studio("cpu").own_judges()


def test_what_cannot_be_calibrated_is_one_sentence(
    weights: Path, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases: dict[tuple[Any, ...], tuple[int, str]] = {
        ("a-tiny-one", people): (1, "The weights of Tiny are not installed."),
        ("starter-embedder-a", people): (2, "Starter identity embedder A comes calibrated"),
        ("starter-embedder-a", "--reset"): (2, "Starter identity embedder A comes calibrated"),
        ("codeformer", people): (2, "CodeFormer is not a recogniser, so there is nothing to calibrate."),
        ("a-tiny-one",): (2, "Name a folder of people, or use --reset."),
        ("a-tiny-one", people, "--reset"): (2, "Name a folder of people, or use --reset."),
    }
    for arguments, (code, words) in cases.items():
        told = said(capsys, "weights", "calibrate", *arguments, code=code)
        assert told.startswith(f"Error: {words}") and len(told.splitlines()) == 1
    with pytest.raises(UsageError, match="Judges are all or starter, not mine"):
        Studio("cpu", judges="mine")
    with pytest.raises(CheckpointMissing, match="no weights called nothing"):
        Studio("cpu").calibrate("nothing", people)
