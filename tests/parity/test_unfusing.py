"""The recogniser of the published Arc2Face at its own size: through an ONNX file into the user's weights, and its outputs."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from facestudio.checkpoints import checkpoint, verify
from facestudio.faces.loading import build_network, fill_network, load_network
from facestudio.importing import import_files
from facestudio.progress import Progress
from tests.onnx_files import write

pytest.importorskip("onnx")


def test_a_graph_of_a_hundred_layers_gives_the_published_output(
    fixtures: Path, seeded: ModuleType, tmp_path: Path
) -> None:
    """Under the entry, the limits and the child process of every import."""
    folder, entry = fixtures / "arcface_iresnet100", checkpoint("arcface-r100-webface42m")
    network = build_network(*entry.network(), entry.id).eval()
    (seed,) = {json.loads((folder / f"{case}.json").read_text())["seed"] for case in ("case", "case_unit")}
    seeded.fill_(network, seed)
    path = write(network, tmp_path / "arcface.onnx")
    assert import_files(entry, [path], Progress()) == ("weights",)
    path.unlink()
    entry = checkpoint(entry.id)
    assert verify(entry) == "present"
    for case in ("case", "case_unit"):
        arrays = np.load(folder / f"{case}.npz")
        given = torch.from_numpy(arrays["input"])
        with torch.inference_mode():
            own = network(given).numpy()
            for loaded in (fill_network(entry), load_network(entry, "cpu")):
                found = loaded(given).numpy()
                assert np.abs(found - arrays["output"]).max() < 1e-3 * arrays["output"].std()
                assert np.abs(found - own).max() < 1e-4 * own.std()
