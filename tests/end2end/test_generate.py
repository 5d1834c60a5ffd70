"""`generate` through the command line and the real networks' code, with networks too small to draw anything."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from facestudio import paths, xmp
from facestudio.cli.main import run
from facestudio.faces.face import FFHQ_256, Face
from facestudio.faces.pose import pose_of_68
from facestudio.metadata import read_recipe
from facestudio.networks.autoencoder import FaceAutoencoder
from facestudio.networks.prior import FacePrior
from facestudio.networks.sliders import Moves
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from facestudio.training.export import dump
from facestudio.whom import Anybody, Between, Drawn, Near
from tests.unit.test_prior import TINY

AUTOENCODER: dict[str, Any] = {"widths": [8, 16, 16], "blocks": 1, "latent": 4, "unshuffle": 4, "groups": 4}
PRIOR: dict[str, Any] = {**TINY, "dimensions": 512, "axes": 8}
SLIDERS: dict[str, Any] = {"names": ["age", "yaw", "brightness"], "dimensions": 512, "latent": 4, "side": 16}
TABLE = """
[checkpoints.{id}]
title = "{id}"
licence = "none"
source = "starter"
method = "{method}"
goal = "{goal}"
architecture = "{architecture}"
conditioned_on = {conditioned_on}
config = {config}
files.weights = {{ path = "{id}.safetensors", sha256 = "{sha256}", bytes = {bytes} }}
uses = {uses}
"""


def add(folder: Path, id: str, network: torch.nn.Module, config: dict[str, Any], **more: str) -> None:
    """Write `network` into the store at `folder` and its table into the manifest there."""
    file = folder / f"{id}.safetensors"
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, file)
    content = file.read_bytes()
    inline = "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in config.items()) + " }"
    told = {"method": "", "goal": "none", "conditioned_on": "[]", "uses": "{}", **more}
    told |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": str(len(content))}
    with (folder / "manifest.toml").open("a") as manifest:
        manifest.write(TABLE.format(id=id, config=inline, **told))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped weights, and beside them a tiny autoencoder and prior, which draw noise."""
    folder = tmp_path_factory.mktemp("weights")
    shipped = paths.weights_dir()
    for file in set(shipped.glob("*.safetensors")) - {shipped / "starter-sliders.safetensors"}:
        (folder / file.name).symlink_to(file)
    document = tomllib.loads((shipped / "manifest.toml").read_text())
    tables = document["checkpoints"]
    document["checkpoints"] = {
        id: table for id, table in tables.items() if table.get("goal") != "create" and id != "starter-sliders"
    }
    (folder / "manifest.toml").write_text(dump(document))
    torch.manual_seed(0)
    autoencoder, prior = FaceAutoencoder(**AUTOENCODER), FacePrior(**PRIOR)
    for last in (autoencoder.vae.decoder.conv_out, prior.unet.conv_out):
        torch.nn.init.normal_(last.weight, std=0.5)  # a new network's last layer says nothing
    add(folder, "tiny-autoencoder", autoencoder, AUTOENCODER, architecture="autoencoder:FaceAutoencoder")
    add(
        folder,
        "tiny-prior",
        prior,
        PRIOR,
        architecture="prior:FacePrior",
        method="arc2face:Arc2Face",
        goal="create",
        conditioned_on='["starter-embedder-a"]',
        uses='{ autoencoder = "tiny-autoencoder" }',
    )
    moves = Moves(**SLIDERS)
    moves.identity[0, :3], moves.turn[1, 0], moves.push[2] = 0.4, 30.0, 1.0
    more = {
        "architecture": "sliders:Moves",
        "conditioned_on": '["starter-embedder-a"]',
        "uses": '{ prior = "tiny-prior" }',
    }
    add(folder, "starter-sliders", moves, SLIDERS, **more)
    with (folder / "manifest.toml").open("a") as manifest:
        manifest.write('calibration.offered = ["age", "yaw", "brightness"]\n')
    return folder


@pytest.fixture
def generate(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(tiny))

    def run_with(*arguments: object) -> int:
        return run(["generate", "--quiet", "--checkpoint", "tiny-prior", "--steps", "2", *map(str, arguments)])

    return run_with


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public-domain portrait that scikit-image installs."""
    data = pytest.importorskip("skimage.data")
    path = tmp_path_factory.mktemp("portrait") / "portrait.png"
    Image.fromarray(data.astronaut()).save(path)
    return path


def recipe(path: Path) -> Recipe:
    return Recipe.from_json(read_recipe(path) or "")


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_pictures_reports_and_marks(generate: Callable[..., int], tmp_path: Path) -> None:
    out, report = tmp_path / "out", tmp_path / "report.jsonl"
    code = generate("--count", 3, "--seed", 5, "-o", out, "--report", report)
    files = sorted(out.iterdir())
    assert [file.name for file in files] == ["face-000005.png", "face-000006.png", "face-000007.png"]
    records = [json.loads(line) for line in report.read_text().splitlines()]
    assert [record["output"] for record in records] == [str(file) for file in files]
    assert code == int(any(record["status"] == "partial" for record in records))
    for seed, file in zip((5, 6, 7), files, strict=True):
        with Image.open(file) as image:
            assert image.size == (256, 256)
            assert xmp.source_type_of(image.info["xmp"]) == xmp.AI_CREATED
        own = recipe(file)
        assert own == Recipe("tiny-prior", "arc2face", {**own.options, "steps": 2}, seed, person=Drawn(seed))
    assert not np.array_equal(pixels(files[0]), pixels(files[1]))


def test_the_same_seed_draws_the_same_picture(generate: Callable[..., int], tmp_path: Path) -> None:
    for name in ("one", "two"):
        generate("--count", 2, "-o", tmp_path / name)
    generate("--count", 1, "--seed", 1, "-o", tmp_path / "alone.png")
    first, second = ([pixels(file) for file in sorted((tmp_path / name).iterdir())] for name in ("one", "two"))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    apart = np.abs(first[1].astype(int) - pixels(tmp_path / "alone.png"))
    assert apart.max() <= 2, "but for the order in which a batch is summed"


def test_a_picture_is_made_again_by_its_recipe_and_its_person_has_others(
    generate: Callable[..., int], tmp_path: Path
) -> None:
    first = tmp_path / "first.png"
    generate("--count", 1, "--seed", 3, "-o", first, "--guidance", 3, "--extras")
    generate("--recipe", first, "-o", tmp_path / "again.png")
    assert np.array_equal(pixels(first), pixels(tmp_path / "again.png"))
    assert read_recipe(first) == read_recipe(tmp_path / "again.png")
    assert Recipe.from_json((tmp_path / "first.json").read_text()) == recipe(first)
    with np.load(tmp_path / "first.npz") as arrays:
        assert arrays["person"].shape == (512,)
    generate("--person", first, "--seed", 8, "--count", 1, "-o", tmp_path / "other.png")
    generate("--person", 3, "--seed", 8, "--count", 2, "--vary", 0.2, "-o", tmp_path / "looks")
    assert recipe(tmp_path / "other.png").person == Drawn(3) and recipe(tmp_path / "other.png").seed == 8
    assert [recipe(file).person for file in sorted((tmp_path / "looks").iterdir())] == [
        Near(Drawn(3), 0.2, 8),
        Near(Drawn(3), 0.2, 9),
    ]


def test_a_walk_leads_from_a_picture_to_a_seed_and_anybody_is_free(
    generate: Callable[..., int], tmp_path: Path
) -> None:
    first, out = tmp_path / "first.png", tmp_path / "walk"
    generate("--count", 1, "--seed", 3, "-o", first)
    generate("--walk", first, 9, "--count", 3, "-o", out)
    files = sorted(out.iterdir())
    assert [file.name for file in files] == [f"face-000003-at-{at}.png" for at in ("0000", "0500", "1000")]
    assert [recipe(file).person for file in files] == [Between(Drawn(3), Drawn(9), at) for at in (0, 0.5, 1)]
    assert np.abs(pixels(files[0]).astype(int) - pixels(first)).max() <= 2, "it begins where it was asked to"
    generate("--anybody", "--count", 1, "--seed", 3, "-o", tmp_path / "free.png")
    assert recipe(tmp_path / "free.png").person == Anybody()
    assert not np.array_equal(pixels(tmp_path / "free.png"), pixels(first))


def test_sliders_move_the_face_and_are_in_its_recipe(generate: Callable[..., int], tmp_path: Path) -> None:
    drawn = {}
    for name, given in {
        "still": (),
        "older": ("age=1",),
        "turned": ("yaw=1",),
        "lit": ("brightness=-0.5", "age=1"),
    }.items():
        more = [part for one in given for part in ("--slider", one)]
        generate("--count", 1, "--seed", 3, "-o", tmp_path / f"{name}.png", *more)
        drawn[name] = pixels(tmp_path / f"{name}.png")
    for one in ("older", "turned", "lit"):
        assert not np.array_equal(drawn[one], drawn["still"]), one
    assert recipe(tmp_path / "lit.png").sliders == {"age": 1.0, "brightness": -0.5}
    assert recipe(tmp_path / "lit.png").person == Drawn(3), "the person is the one who was moved"
    generate("--recipe", tmp_path / "lit.png", "-o", tmp_path / "again.png")
    assert np.array_equal(drawn["lit"], pixels(tmp_path / "again.png"))
    generate("--recipe", tmp_path / "lit.png", "-o", tmp_path / "back.png", "--slider", "brightness=0")
    assert np.array_equal(drawn["older"], pixels(tmp_path / "back.png"))


def test_a_person_steers_what_is_drawn(generate: Callable[..., int], portrait: Path, tmp_path: Path) -> None:
    drawn = {}
    for name, more in {
        "nobody": (),
        "person": ("--from", portrait),
        "stricter": ("--from", portrait, "--guidance", 4),
        "held": ("--from", portrait, "--hold-pose"),
        "ddim": ("--from", portrait, "--sampler", "ddim"),
    }.items():
        generate("--count", 1, "-o", tmp_path / f"{name}.png", *more)
        drawn[name] = pixels(tmp_path / f"{name}.png")
    names = list(drawn)
    for place, one in enumerate(names):
        assert not any(np.array_equal(drawn[one], drawn[other]) for other in names[:place]), one


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--count", "2", "-o", "one.png"], 2, "name a folder"),
        (["--format", "docx", "-o", "out"], 2, "docx is not known"),
        (["--checkpoint", "no-such", "-o", "out"], 2, "available: arc2face"),
        (["--guidance", "99", "-o", "out"], 2, "Likeness takes 1 to 8"),
        (["--from", "empty.png", "-o", "out"], 1, "No face was found in empty.png"),
        (["--from", "nowhere.png", "-o", "out"], 1, "nowhere.png"),
        (["--from", "full.png", "-o", "full.png", "--count", "1", "--overwrite"], 2, "is one of the inputs"),
        (["--from", "full.png", "-o", "out", "--face", "3"], 2, "no face 3"),
        (["-o", "full.png", "--count", "1"], 1, "exists already"),
        (["-o", "out", "--face", "1"], 2, "name the photo with --from"),
        (["-o", "out", "--person", "9" * 5000], 2, "not one of 5000 digits"),
        (["-o", "out", "--seed", str(2**63)], 2, "--seed takes at most"),
        (["-o", "out", "--seed", str(2**63 - 1), "--count", "2"], 2, "A seed is a whole number from 0 to"),
        (["-o", "out", "--seed", str(2**63 - 1), "--count", "2", "--anybody"], 2, "A seed is a whole number from 0 to"),
        (["--from", "full.png", "--person", "3", "-o", "out"], 2, "cannot be used together"),
        (["--anybody", "--person", "3", "-o", "out"], 2, "cannot be used together"),
        (["--vary", "0.2", "-o", "out"], 2, "--person"),
        (["--walk", "3", "full.png", "-o", "out"], 2, "contains no recipe"),
        (["--walk", "3", "4", "--count", "1", "-o", "out"], 2, "two pictures"),
        (["--recipe", "full.png", "-o", "out"], 2, "contains no recipe"),
        (["--slider", "age", "-o", "out"], 2, "a name and a number"),
        (["--slider", "wings=0.5", "-o", "out"], 2, "no slider called wings"),
        (["--slider", "age=1.5", "-o", "out"], 2, "from -1 to 1"),
        (["--slider", "age=1", "--slider", "age=0", "-o", "out"], 2, "given twice"),
        (["--slider", "age=1", "--anybody", "--count", "1", "-o", "free"], 2, "drawn freely"),
    ],
)
def test_wrong_requests_end_in_a_sentence_and_write_nothing(
    generate: Callable[..., int],
    portrait: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (300, 300), (90, 120, 90)).save("empty.png")
    Path("full.png").write_bytes(portrait.read_bytes())
    assert generate(*arguments) == code
    assert words in capsys.readouterr().err.replace("\n", " ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.png", "full.png"]
    assert Path("full.png").read_bytes() == portrait.read_bytes()


def test_the_shipped_prior_draws_faces_of_nobody_and_of_a_person(portrait: Path, tmp_path: Path) -> None:
    nobody, person = tmp_path / "nobody.jsonl", tmp_path / "person.jsonl"
    given, out = ["--quiet", "--steps", "8"], str(tmp_path / "out")
    assert run(["generate", "--count", "1", "-o", out, "--report", str(nobody), *given]) == 0
    more = ["--from", str(portrait), "--count", "2", "--report", str(person), "--seed", "5"]
    assert run(["generate", "-o", out, *more, *given]) == 0
    reports = [path.read_text().splitlines() for path in (nobody, person)]
    assert [len(lines) for lines in reports] == [1, 2]
    (face,) = json.loads(reports[0][0])["faces"]
    assert not face["similarity"], "there is nobody to be compared with"
    for line in reports[1]:
        (face,) = json.loads(line)["faces"]
        assert "starter-embedder-a" not in face["similarity"], "it is what the prior listens to"
        assert min(face["similarity"].values()) > 0.1, "a stranger is near 0"


def test_a_face_that_is_led_nearer_is_more_like_the_person_by_who_took_no_part(portrait: Path, tmp_path: Path) -> None:
    found = []
    for nearer in ("0", "1"):
        report = tmp_path / f"{nearer}.jsonl"
        more = ["--from", str(portrait), "--report", str(report), "--steps", "8", "--nearer", nearer, "--count", "1"]
        assert run(["generate", "--quiet", *more, "-o", str(tmp_path / nearer)]) == 0
        (face,) = json.loads(report.read_text().splitlines()[-1])["faces"]
        found.append(face["similarity"])
    assert set(found[0]) == set(found[1]) == {"starter-embedder-b", "starter-embedder-c"}
    assert all(found[1][judge] > found[0][judge] + 0.03 for judge in found[0])


def test_the_weights_that_draw_at_once_know_whom_they_are_told_and_turn_heads(portrait: Path, tmp_path: Path) -> None:
    given = ["--checkpoint", "starter-vec2face", "--quiet", "--seed", "5", "--from", str(portrait)]
    reports, finder, yaws = [], Studio()._finder(), []
    for name, more in (("one", []), ("again", []), ("turned", ["--slider", "yaw=1"])):
        reports.append(tmp_path / f"{name}.jsonl")
        out = tmp_path / name
        assert run(["generate", "--count", "2", "--report", str(reports[-1]), "-o", str(out), *given, *more]) == 0
        pictures = [np.array(Image.open(path)) for path in sorted(out.iterdir())]
        assert [one.shape for one in pictures] == [(256, 256, 3)] * 2 and (pictures[0] != pictures[1]).any()
        whole = Face((0, 0, 256, 256), FFHQ_256.points)  # type: ignore[arg-type]
        yaws.append([pose_of_68(finder.find(one, whole))[0] for one in pictures])
    assert yaws[0] == yaws[1] and all(turned > plain + 5 for turned, plain in zip(yaws[2], yaws[0], strict=True))
    for line in reports[0].read_text().splitlines():
        (face,) = json.loads(line)["faces"]
        assert set(face["similarity"]) == {"starter-embedder-b", "starter-embedder-c"}
        assert min(face["similarity"].values()) > 0.1, "a stranger is near 0"
