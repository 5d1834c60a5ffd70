"""What saving says that the original has and the saved file has not: more bits a colour, and more pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from facestudio.gui.history import Step
from facestudio.gui.saving import told
from facestudio.photo import Photo


class _Shown:
    """A step of which only the photo afterwards is asked."""

    def __init__(self, after: Photo) -> None:
        self.result, self.after = self, after


def test_bits_and_pictures_that_are_not_saved_are_said_when_saving(tmp_path: Path) -> None:
    deep, pages = tmp_path / "deep.png", tmp_path / "pages.tif"
    Image.fromarray(np.full((40, 40), 30000, np.uint16)).save(deep)
    page = Image.new("RGB", (40, 40), "grey")
    page.save(pages, save_all=True, append_images=[page])
    for path, target, said in (
        (deep, tmp_path / "deep.jpg", ". Saved with 8 bits per colour; the original has 16"),
        (deep, deep, ""),
        (pages, pages, ". The original holds several pictures; only the first one is used"),
    ):
        step: Step = _Shown(Photo.open(path))  # type: ignore[assignment]
        _, _, words = told(step, target)
        assert words == f"Saved as {target.name}{said}"
