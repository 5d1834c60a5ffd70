"""The packed cache of the training faces, when two trainings begin together."""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path

import cv2
import numpy as np

from facestudio.training import data


def test_of_two_trainings_the_second_waits_until_the_first_has_packed(tmp_path: Path) -> None:
    archive = tmp_path / "faces.zip"
    pixels = np.full((8, 8, 3), 90, np.uint8)
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("a.png", cv2.imencode(".png", pixels)[1].tobytes())
    cache = tmp_path / "cache"
    found: list[np.ndarray] = []
    other = threading.Thread(target=lambda: found.append(data.packed(archive, ["a.png"], (8, 8), cache)), daemon=True)
    with data.alone(cache):
        other.start()
        other.join(0.3)
        assert other.is_alive() and not list(cache.glob("*.npy"))
    other.join(30)
    assert len(found) == 1 and found[0].shape == (1, 8, 8, 3) and (found[0] == 90).all()
