"""DFDNet: eyes, nose and mouth are completed from dictionaries of good ones, and it says which entries it took.

After Li et al., "Blind Face Restoration via Deep Multi-scale Component Dictionaries" (ECCV 2020), source csxmli2016/DFDNet (CC
BY-NC-SA 4.0 for code and weights; no code taken). What differs:

- The published pipeline aligns by five points of dlib (two corners of each eye, and the nose's base) onto a template of its own.
  Both that template and FFHQ_512 are mean landmarks of FFHQ, so FFHQ_512 is used: over 963 FFHQ faces the mean framing differs
  by 1.1 % in scale and 2.4 px in place, a single one's by up to a tenth in scale, because other points are fitted.
- The 68 landmarks are our own finder's, in the crop.
- A component out of view, an eye turned away, or a crop without landmarks is left to the rest of the network.
- Whole photos are pasted by faces/paste.py, any number of faces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from facestudio import checkpoints
from facestudio.checkpoints import Checkpoint
from facestudio.device import run_batched
from facestudio.errors import CheckpointMismatch
from facestudio.faces.components import NAMES, Choice, Explanation, visible_boxes
from facestudio.faces.face import FFHQ_512, AlignedFace, Face
from facestudio.faces.landmarks import LandmarkFinder
from facestudio.faces.loading import load_network
from facestudio.options import option
from facestudio.photo import to_pixels, to_tensor
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.networks.dfdnet import DFDNet as Network
    from facestudio.networks.dictionary import Entries

LANDMARKS = "starter-landmarks"  # unless the checkpoint says which finder it uses


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    strength: float = option(
        1.0,
        title="Strength",
        help="How much of the restored face is laid over the photo: 0 keeps the photo, 1 shows the restored face.",
        minimum=0.0,
        maximum=1.0,
        step=0.05,
    )


class DFDNet:
    """The loaded method: a `network` (networks/dfdnet.py) with its `dictionary`, and a landmark `finder`, on `device`."""

    id = "dfdnet"
    goal = "keep"
    template = FFHQ_512
    Options: type[Any] = Options

    def __init__(
        self,
        checkpoint: Checkpoint,
        network: Network,
        dictionary: Mapping[str, Entries],
        finder: LandmarkFinder,
        device: str = "cpu",
    ) -> None:
        self.checkpoint = checkpoint
        self._network = network
        self._dictionary = dictionary
        self._finder = finder
        self._device = device

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> DFDNet:
        """Build and fill network, dictionary and landmark finder; CheckpointError when that cannot be."""
        network: Any = load_network(checkpoint, device)
        finder = LandmarkFinder.load(checkpoints.checkpoint(checkpoint.uses.get("landmarks", LANDMARKS)), device)
        return cls(checkpoint, network.fold(), _dictionary(checkpoint, network, device), finder, device)

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        """Restore one FFHQ_512 crop. Nothing is random here, so `seed` changes nothing."""
        return self.explained(aligned, options, progress, seed)[0]

    def explained(
        self, aligned: AlignedFace, options: Any, progress: Progress, seed: int
    ) -> tuple[AlignedFace, Explanation]:
        """Restore one FFHQ_512 crop, and say which entries of the dictionary did it."""
        if aligned.template != self.template and aligned.template.size != self.template.size:
            raise ValueError(f"{self.id} works on {self.template.name}, not {aligned.template.name}")
        ((pixels, explanation),) = run_batched(self._restore, [aligned], 1, progress)
        progress.preview(lambda: pixels)
        return aligned.with_pixels(pixels), explanation

    def _restore(self, faces: list[AlignedFace]) -> list[tuple[np.ndarray, Explanation]]:
        """The restored pixels of each of `faces`, and how."""
        import torch

        boxes = np.stack([visible_boxes(self._landmarks(face), face.template.size) for face in faces])
        batch = torch.cat([to_tensor(face.pixels) for face in faces]).to(self._device)
        with torch.inference_mode():
            restored = self._network(batch, torch.from_numpy(boxes), self._dictionary)
        explanations = [self._explanation(*told) for told in zip(restored.entry, restored.confidence, strict=True)]
        return list(zip(to_pixels(restored.picture), explanations, strict=True))

    def _landmarks(self, face: AlignedFace) -> np.ndarray:
        """The 68 landmarks of a crop in its own pixels; the five are where its template says."""
        side = face.template.size
        return self._finder.find(face.pixels, Face((0, 0, side, side), face.template.points))  # type: ignore[arg-type]

    def _explanation(self, entry: Any, confidence: Any) -> Explanation:
        """Of one face: `entry` and `confidence` (components, scales) in words of the product."""
        from facestudio.networks.dfdnet import SCALES
        from facestudio.networks.dictionary import SKIPPED

        choices = []
        for name, entries, certain in zip(NAMES, entry.tolist(), confidence.tolist(), strict=True):
            for scale, index, sure in zip(SCALES, entries, certain, strict=True):
                if index != SKIPPED:
                    choices.append(Choice(name, scale, index, len(self._dictionary[f"{name}_{scale}"].values), sure))
        seen = {choice.component for choice in choices}
        return Explanation(tuple(choices), tuple(name for name in NAMES if name not in seen))


def _dictionary(checkpoint: Checkpoint, network: Any, device: str) -> dict[str, Entries]:
    """The entries of every component and scale, from the part "dictionary"; CheckpointError when they do not fit.

    They stay where the file is mapped into memory when that is where they are used: a published dictionary has gigabytes.
    """
    from facestudio.networks.dfdnet import entry_shapes
    from facestudio.networks.dictionary import Entries

    wanted = entry_shapes(network.ngf)
    tensors = checkpoints.read(checkpoint, "dictionary")
    for name in sorted({*wanted, *tensors}):
        found = tuple(tensors[name].shape) if name in tensors else ()
        if name not in wanted or not found or found[1:] != wanted[name] or found[0] < 1:
            raise CheckpointMismatch(
                f"The dictionary of {checkpoint.id} does not fit its network: {name} is not as expected.",
                hint="Install the version of Face Studio that these weights belong to.",
            )
    return {name: Entries.of(tensors[name].to(device)) for name in wanted}
