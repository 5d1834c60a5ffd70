"""`facestudio anonymize --engine ray` on a Ray of two workers on this machine; skipped where Ray is not installed."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray.data")

from facestudio.anonymize_settings import Settings
from facestudio.cli.main import run
from facestudio.cluster import Cluster, Job, Task
from facestudio.errors import FaceStudioError
from facestudio.planning import Item
from facestudio.progress import Cancelled, Progress
from facestudio.recipe import Recipe
from tests.fakes import face_at, picture, write_picture

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own

FACES = [face_at(80, 90, 110), face_at(220, 100, 90)]


@pytest.fixture(autouse=True)
def startable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the test where Ray itself does not come up, as on a machine that is very busy."""
    start = Cluster._start

    def started(self: Cluster) -> None:
        try:
            start(self)
        except FaceStudioError as error:
            pytest.skip(str(error))

    monkeypatch.setattr(Cluster, "_start", started)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(4):
        write_picture(tmp_path / "in" / f"{number}.png", picture(190, 300, FACES, seed=number))
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no photo")
    return tmp_path / "in"


def records(report: Path) -> dict[str, Any]:
    return {Path(r["input"]).name: r for r in map(json.loads, report.read_text().splitlines())}


def test_it_comes_out_as_without_ray_and_goes_on(photos: Path, tmp_path: Path) -> None:
    command = ["anonymize", str(photos), "--method", "pixelate", "--quiet"]
    assert run([*command, "-o", str(tmp_path / "here")]) == 1  # the broken one
    many = [*command, "-o", str(tmp_path / "many"), "--engine", "ray", "--workers", "2"]
    assert run(many) == 1
    here, there = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("here", "many"))
    assert here == there and len(there) == 4
    one, other = (records(tmp_path / f"{name}-report.jsonl") for name in ("here", "many"))
    assert {n: (r["status"], r["error"], r["faces"]) for n, r in one.items()} == {
        n: (r["status"], r["error"], r["faces"]) for n, r in other.items()
    }
    (tmp_path / "many" / "2.png").unlink()
    assert run([*many, "--resume"]) == 1
    assert {p.name: p.read_bytes() for p in (tmp_path / "many").iterdir()} == here


def test_it_stops_when_asked(photos: Path, tmp_path: Path) -> None:
    progress = Progress()
    items = [Item(path, tmp_path / "out" / path.name) for path in sorted(photos.glob("*.png"))]
    job = Job(Settings(Recipe("solid", "solid")), device="cpu")
    cluster = Cluster(job, lambda item: Task(item.source, item.target.name), workers=2)
    timer = threading.Timer(3.0, progress.cancel)  # while the workers are still starting, or at work
    timer.start()
    try:
        with pytest.raises(Cancelled):
            list(cluster.made(items * 50, progress))
    finally:
        timer.cancel()
        timer.join()
    import ray

    assert not ray.is_initialized()
