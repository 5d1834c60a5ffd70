"""Benchmarks of restorers: the grid is fixed, what is asked for is measured, and the tables say what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import degraded_photos, many_faces, restoration_report, restoring, sheets
from benchmarks.restoration_report import FIGURES, Row
from benchmarks.restoring import BICUBIC, Variant
from facestudio.methods.quick import Options
from facestudio.options import describe
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from facestudio.training import data, grid, metrics
from facestudio.training.degradation import bar, degrade


def face(seed: int = 0, side: int = 64) -> np.ndarray:
    """Large coloured blots, so that blur and noise leave something."""
    rough = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    return np.kron(rough, np.ones((8, 8, 1), np.uint8))


def row(cell: str, variant: Variant, seconds: float | None = 0.2, usual: bool = True, **figures: float) -> Row:
    told = {key: 1.0 for key in FIGURES} | figures
    return Row(cell, variant, told, seconds, None if seconds is None else 500_000_000, usual=usual)


def test_cells_are_called_by_what_they_do() -> None:
    assert [grid.Cell.named(cell.name) for cell in grid.GRID] == list(grid.GRID)
    assert {cell.kind for cell in grid.GRID} == set(grid.KINDS)
    assert grid.Cell.named("blur-2.5").how(3).sigma == (2.5, 2.5)
    for name in ("scale", "scale-2.5", "scale-1", "jpeg-0", "jpeg-101", "fog-3", "noise--3", "blur-nan", "scale-nan"):
        with pytest.raises(ValueError, match="there is no degradation"):
            grid.Cell.named(name)


def test_degradation_depends_on_cell_face_and_place_alone() -> None:
    faces = np.stack([face(0), face(0), face(1)])
    for cell in grid.GRID:
        once = cell.damaged(faces)
        assert once.shape == faces.shape and once.dtype == np.uint8
        np.testing.assert_array_equal(once, cell.damaged(faces))
        np.testing.assert_array_equal(once[:1], cell.damaged(faces[:1]))
        assert (once != faces).any()
        noisy = cell.kind in ("scale", "noise")
        assert (once[0] != once[1]).any() == noisy  # each face has noise of its own


def test_scale_cells_are_the_degradations_of_the_bars() -> None:
    faces = np.stack([face(seed, 256) for seed in range(2)])
    for scale in (4, 8):
        expected = [degrade(one, bar(scale, seed)) for seed, one in enumerate(faces)]
        np.testing.assert_array_equal(grid.Cell("scale", scale).damaged(faces), expected)


def test_held_out_faces_are_of_people_held_out_and_fewer_are_the_first_of_more() -> None:
    identity = np.array([f"person-{n % 40}" for n in range(120)])
    rows = [{"source": "celeba_wild" if n % 3 else "ffhq"} for n in range(120)]
    faces = data.Faces(np.zeros((120, 1, 1, 3), np.uint8), identity, rows)
    many = grid.held_out_faces(faces, 96)
    wild = [n for n in range(120) if n % 3 and data.held_out(identity[n])]
    assert sorted(many) == wild and 2 < len(wild) < 60
    np.testing.assert_array_equal(grid.held_out_faces(faces, 2), many[:2])


def test_frechet_distance_of_normal_distributions() -> None:
    a = np.random.default_rng(0).normal(size=(4000, 3))
    assert metrics.frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet(a, a + [3, 0, 4]) == pytest.approx(25)
    spread = np.trace(np.cov(a, rowvar=False))
    assert metrics.frechet(a, 3 * a - 2 * a.mean(0)) == pytest.approx(4 * spread)  # (3 - 1)^2 of each variance
    few = np.random.default_rng(1).normal(size=(2, 3))  # fewer samples than dimensions
    assert metrics.frechet(few, a) == pytest.approx(metrics.frechet(a, few)) and metrics.frechet(few, a) > 0


def test_options_are_combined_within_a_group_and_only_where_a_method_has_them() -> None:
    fields = {one.name: one for one in Studio("cpu").options_for("difface")}
    group = restoring.parsed(["steps=5,10", "sampler=dpm", "likeness=2"])
    other = restoring.parsed(["sampler=ddim,dpm"])
    assert restoring.combinations([group, other], fields) == [
        {"steps": 5, "sampler": "dpm"},
        {"steps": 10, "sampler": "dpm"},
        {"steps": 10, "sampler": "ddim"},  # 10 is the default; with dpm that was there already
    ]
    assert restoring.combinations([group], {one.name: one for one in describe(Options)}) == [{}]
    for wrong in (["steps"], ["steps="], ["=5"]):
        with pytest.raises(SystemExit, match="name=value"):
            restoring.parsed(wrong)
    for wrong in ({"steps": ["many"]}, {"steps": ["0"]}, {"sampler": ["euler"]}):
        with pytest.raises(SystemExit, match="takes"):
            restoring.combinations([wrong], fields)


def test_methods_come_from_the_manifest() -> None:
    studio = Studio("cpu")
    first, second = restoring.chosen(studio, "starter-estimator", [])
    assert first == Variant(BICUBIC)
    assert second == Variant("starter-estimator", "quick", True)
    everything = {variant.id for variant in restoring.chosen(studio, "", [])}
    assert everything == {BICUBIC, *(entry.id for entry in studio.restore_checkpoints() if entry.here)}
    with pytest.raises(SystemExit, match="starter-detector"):
        restoring.chosen(studio, "starter-detector", [])
    with pytest.raises(SystemExit, match="difface are not here"):
        restoring.chosen(studio, "starter-estimator,difface", [])
    with pytest.raises(SystemExit, match="an option called stepps"):
        restoring.chosen(studio, "starter-estimator", [["stepps=3"]])
    assert restoring.defaults(second, studio)
    assert restoring.defaults(Variant("difface", "difface", False, {"steps": 10}), studio)
    assert not restoring.defaults(Variant("difface", "difface", False, {"steps": 11}), studio)


def test_what_is_measured_is_what_the_product_makes(tmp_path: Path) -> None:
    bad = np.stack([face(seed, 256) for seed in (3, 4)])
    np.save(tmp_path / "in.npy", bad)
    order = {"id": "starter-estimator", "options": {"strength": 0.5}, "device": "cpu", "seed": 0}
    cost = restoring.restore_all({**order, "inputs": tmp_path / "in.npy", "outputs": tmp_path / "out.npy"})
    recipe = Recipe("starter-estimator", "quick", {"strength": 0.5})
    result = Studio("cpu").restore(Photo.from_pixels(bad[1]), (), recipe, aligned=True)
    made = result.after.pixels
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy")[1], made)
    assert (made != bad[1]).any()
    np.testing.assert_array_equal(degraded_photos.before_and_after(result), np.hstack([bad[1], made]))
    assert cost.seconds > 0 and cost.peak > 50e6


def test_every_row_has_the_columns_of_the_head() -> None:
    variant = Variant("starter-difface", "difface", True, {"steps": 5, "realism": 0.25})
    told = row("scale-8", variant, 1.5, identity=0.456)
    lines = [line for cell in (True, False) for line in restoration_report.head(cell).splitlines()]
    columns = [line.count("|") for line in lines]
    assert restoration_report.line(told).count("|") == columns[0] == columns[1]
    assert restoration_report.line(told, cell=False).count("|") == columns[2] == columns[3] == columns[0] - 1
    failed = restoration_report.line(Row("scale-8", variant, failure="No memory."))
    assert failed.count("|") == columns[0] and "failed: No memory." in failed
    assert "0.456" in restoration_report.line(told) and "steps 5, realism 0.25" in restoration_report.line(told)
    assert restoration_report.line(row("scale-8", Variant(BICUBIC), None)).endswith("|  |  |")


def test_the_page_has_methods_beside_degradations_and_leaves_failures_out_of_means() -> None:
    quick, difface = Variant("starter-estimator", "quick"), Variant("starter-difface", "difface")
    rows = [row(cell, Variant(BICUBIC), None, psnr=20) for cell in ("scale-4", "scale-8")]
    rows += [row("scale-4", quick, psnr=25), row("scale-8", quick, 0.4, psnr=22)]
    rows += [row("scale-4", difface, psnr=24), Row("scale-8", difface, failure="It broke.")]
    page = restoration_report.page(rows)
    assert "| starter-estimator | 25.00 | 22.00 |" in page
    assert "| starter-difface | 24.00 | failed |" in page
    seconds = page.split("### Seconds a face")[1].split("###")[0]
    assert "| starter-estimator | 0.20 | 0.40 |" in seconds and BICUBIC not in seconds
    means = {one.variant.id: one for one in restoration_report.averaged(rows)}
    assert set(means) == {BICUBIC, "starter-estimator"}
    assert means["starter-estimator"].figures["psnr"] == 23.5 and means[BICUBIC].seconds is None


def test_bars_are_asked_of_starter_methods_as_they_are() -> None:
    quick, difface = Variant("starter-estimator", "quick"), Variant("starter-difface", "difface")
    lafr = Variant("starter-lafr", "lafr")
    rows = [
        row("scale-8", Variant(BICUBIC), None, identity=0.9),  # no method
        row("scale-8", quick, 0.4, identity=0.40, frechet=100),
        row("scale-8", difface, 2, identity=0.44, frechet=50),
        row("scale-8", Variant("starter-difface", "difface", True, {"steps": 3}), 9, False, identity=0.8),
        row("scale-8", Variant("difface", "difface", False), 90, identity=0.7),  # published
        row("scale-16", quick, frechet=100),
        row("scale-16", lafr, 0.9, frechet=70),
        row("scale-4", quick, psnr=25),
        row("scale-4", lafr, psnr=23.9),
    ]
    found = {one.title: one for one in restoration_report.bars(rows)}
    assert found["identity at scale 8, best method"].value == 0.44
    assert found["the same, above quick's"].value == pytest.approx(0.04) and found["the same, above quick's"].met
    assert found["Fréchet distance at scale-8, difface / quick"].met
    assert not found["Fréchet distance at scale-16, lafr / quick"].met
    assert not found["PSNR at scale 4, lafr above quick, dB"].met
    assert not found["seconds a face, quick, slowest degradation"].met
    assert found["seconds a face, difface, slowest degradation"].value == 2
    assert "| 0.4 | <= 0.3 | no |" in restoration_report.bars_table(rows)
    assert restoration_report.bars_table([]) == ""


def test_a_sweep_names_the_quickest_that_is_as_good_as_the_best() -> None:
    def tried(steps: int, realism: float, frechet: float, identity: float) -> Row:
        variant = Variant("starter-difface", "difface", True, {"steps": steps, "realism": realism})
        return row("scale-8", variant, steps / 10, steps == 10, frechet=frechet, identity=identity)

    rows = [tried(5, 0.4, 120, 0.40), tried(10, 0.4, 103, 0.40), tried(50, 0.4, 100, 0.405), tried(5, 0.2, 300, 0.45)]
    told = restoration_report.enough(rows)
    assert "steps 10, realism 0.4) **(default)**, 1.00 s a face" in told
    assert told.count("Quickest") == 1  # nothing to compare a single one with
    none = restoration_report.enough([tried(5, 0.4, 100, 0.2), tried(10, 0.4, 200, 0.4)])
    assert "none is best in both" in none
    assert restoration_report.enough([row("scale-8", Variant(BICUBIC), None)]) == ""


def test_sheets_have_a_column_for_each_title() -> None:
    columns = [np.full((2, 64, 64, 3), level, np.uint8) for level in (10, 20, 30)]
    made = sheets.titled(columns, ["clean", "scale-8", "a long name that must be written smaller"])
    assert made.shape == (sheets.STRIP + 2 * 64, 3 * 64, 3)
    assert made[-1, ::64, 0].tolist() == [10, 20, 30]


def test_a_crowd_shows_every_face_whole() -> None:
    faces = [np.full((64, 64, 3), 10 * (n + 1), np.uint8) for n in range(20)]
    photo = many_faces.crowd(faces)
    assert photo.shape == (3000, 4000, 3)
    levels, counts = np.unique(photo[..., 0], return_counts=True)
    shown = dict(zip(levels.tolist(), counts.tolist(), strict=True))
    assert all(shown[10 * (n + 1)] == many_faces.SIDE**2 for n in range(20))
    told = {"faces": 19, "peak": 3_100_000_000, "seconds": {"open": 1.0, "detect": 2.0, "restore": 9.0, "save": 1.0}}
    assert many_faces.line("starter-x", 20, told) == "| starter-x | 19 of 20 | 2.0 | 9.0 | 13.0 | 3.10 | <= 3 | no |"


def test_a_photo_without_faces_is_told_of_on_the_page(tmp_path: Path) -> None:
    Photo.from_pixels(face(5, 128)).save(tmp_path / "a & b.png")
    (path,) = degraded_photos.photos_in(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    entry = degraded_photos.tried(Studio("cpu"), path, [Variant("starter-estimator", "quick")], out, 0)
    assert entry.faces == 0 and (out / entry.picture).is_file()
    (line,) = degraded_photos.lines(entry)
    assert "No face was found" in line and line.count("|") == degraded_photos.HEAD.splitlines()[0].count("|")
    page = degraded_photos.html([entry], "<machine>")
    assert "&lt;machine&gt;" in page and "a &amp; b.png" in page and 'src="a%20%26%20b.png"' in page
    assert "0 faces found" in page and "No face was found" in page
    assert len(degraded_photos.means([entry])) == 2  # no method restored anything
    with pytest.raises(SystemExit, match="No photos"):
        degraded_photos.photos_in(tmp_path / "nowhere")
