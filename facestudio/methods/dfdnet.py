"""DFDNet: eyes, nose and mouth are completed from dictionaries of good ones, and it says which entries it took.

After Li et al., "Blind Face Restoration via Deep Multi-scale Component Dictionaries" (ECCV 2020), source csxmli2016/DFDNet (CC
BY-NC-SA 4.0 for code and weights; no code taken). What differs:

- The published pipeline aligns by five points of dlib (two corners of each eye, and the nose's base) onto a template of its own.
  Both that template and FFHQ_512 are mean landmarks of FFHQ, so FFHQ_512 is used: over 963 FFHQ faces the mean framing differs
  by 1.1 % in scale and 2.4 px in place, a single one's by up to a tenth in scale, because other points are fitted.
- The 68 landmarks are our own finder's, in the crop.
- A component out of view, an eye turned away, or a crop without landmarks is left to the rest of the network.
- Whole photos are pasted by faces/paste.py, any number of faces.

There are two of them: the published network at 512 px, and our own small one at 256 (networks/completion.py), which completes
what the estimator of `quick` sees of a face.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from facestudio import checkpoints
from facestudio.checkpoints import Checkpoint
from facestudio.device import run_batched
from facestudio.errors import CheckpointMismatch
from facestudio.faces.components import NAMES, Choice, Explanation, visible_boxes
from facestudio.faces.face import FFHQ_256, FFHQ_512, AlignedFace
from facestudio.faces.grain import without_grain
from facestudio.faces.landmarks import LandmarkFinder
from facestudio.faces.loading import load_network, load_used, refuse_others
from facestudio.methods.crops import check_size, features
from facestudio.methods.usual_options import grain_option, strength_option
from facestudio.photo import to_pixels, to_tensor
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor, nn

    from facestudio.networks.dfdnet import DFDNet as Network
    from facestudio.networks.dictionary import Entries

LANDMARKS = "starter-landmarks"  # unless the checkpoint says which finder it uses


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    strength: float = strength_option()


@dataclass(frozen=True)
class StarterOptions(Options):
    """The same of our own one, whose estimator leaves plain noise."""

    grain: float = grain_option()


class Completing:
    """What both have in common: a landmark `finder` that says where the components are, and words for what was chosen."""

    id = "dfdnet"
    goal = "keep"
    template = FFHQ_512
    Options: type[Any] = Options

    def __init__(self, checkpoint: Checkpoint, finder: LandmarkFinder, device: str = "cpu") -> None:
        self.checkpoint = checkpoint
        self._finder = finder
        self._device = device

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        """Restore one crop. Nothing is random here, so `seed` changes nothing."""
        return self.explained(aligned, options, progress, seed)[0]

    def explained(
        self, aligned: AlignedFace, options: Any, progress: Progress, seed: int
    ) -> tuple[AlignedFace, Explanation]:
        """Restore one crop, and say which entries of the dictionary did it."""
        check_size(self.id, self.template, aligned)
        progress.check()
        ((pixels, explanation),) = run_batched(self._restore, [self.prepared(aligned, options)], 1, progress)
        progress.preview(lambda: pixels)
        return aligned.with_pixels(pixels), explanation

    def prepared(self, aligned: AlignedFace, options: Any) -> AlignedFace:
        """The crop that the networks are shown."""
        return aligned

    def completed(self, batch: Tensor, boxes: Tensor) -> Any:
        """`picture`, `entry` and `confidence` that the network makes of `batch` (B, 3, S, S) in [-1, 1] and `boxes` (B, 4, 4)."""
        raise NotImplementedError

    def sizes(self, component: str) -> Sequence[tuple[int, int]]:
        """Of a component: the scale (side of the map in a crop of 512 px) and the number of entries of each dictionary."""
        raise NotImplementedError

    def _restore(self, faces: list[AlignedFace]) -> list[tuple[np.ndarray, Explanation]]:
        """The restored pixels of each of `faces`, and how."""
        import torch

        points = [features(self._finder, face.pixels, face.template) for face in faces]
        boxes = np.stack([visible_boxes(of, face.template.size) for of, face in zip(points, faces, strict=True)])
        batch = torch.cat([to_tensor(face.pixels) for face in faces]).to(self._device)
        with torch.inference_mode():
            restored = self.completed(batch, torch.from_numpy(boxes))
        explanations = [self._explanation(*told) for told in zip(restored.entry, restored.confidence, strict=True)]
        return list(zip(to_pixels(restored.picture), explanations, strict=True))

    def _explanation(self, entry: Any, confidence: Any) -> Explanation:
        """Of one face: `entry` and `confidence` (components, scales) in words of the product."""
        from facestudio.networks.dictionary import SKIPPED

        choices = []
        for name, entries, certain in zip(NAMES, entry.tolist(), confidence.tolist(), strict=True):
            for (scale, count), index, sure in zip(self.sizes(name), entries, certain, strict=True):
                if index != SKIPPED:
                    choices.append(Choice(name, scale, index, count, sure))
        seen = {choice.component for choice in choices}
        return Explanation(tuple(choices), tuple(name for name in NAMES if name not in seen))


class DFDNet(Completing):
    """The published method: a `network` (networks/dfdnet.py) with its `dictionary`, and a landmark `finder`, on `device`."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        network: Network,
        dictionary: Mapping[str, Entries],
        finder: LandmarkFinder,
        device: str = "cpu",
    ) -> None:
        super().__init__(checkpoint, finder, device)
        self._network = network
        self._dictionary = dictionary

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> DFDNet:
        """Build and fill network, dictionary and landmark finder; CheckpointError when that cannot be."""
        network: Any = load_network(checkpoint, device)
        finder = LandmarkFinder.load(checkpoints.checkpoint(checkpoint.uses.get("landmarks", LANDMARKS)), device)
        return cls(checkpoint, network.fold(), _dictionary(checkpoint, network, device), finder, device)

    def completed(self, batch: Tensor, boxes: Tensor) -> Any:
        return self._network(batch, boxes, self._dictionary)

    def sizes(self, component: str) -> Sequence[tuple[int, int]]:
        from facestudio.networks.dfdnet import SCALES

        return [(scale, len(self._dictionary[f"{component}_{scale}"].values)) for scale in SCALES]


class StarterDFDNet(Completing):
    """Our own: a `completion` (networks/completion.py) of the maps of `estimator`, and a landmark `finder`, on `device`."""

    template = FFHQ_256
    Options = StarterOptions

    def __init__(
        self,
        checkpoint: Checkpoint,
        completion: nn.Module,
        estimator: nn.Module,
        finder: LandmarkFinder,
        device: str = "cpu",
    ) -> None:
        super().__init__(checkpoint, finder, device)
        self._completion: Any = completion
        self._estimator = estimator

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> StarterDFDNet:
        """Build and fill completion, estimator and landmark finder; CheckpointError when that cannot be."""
        refuse_others(checkpoint, "dictionary")
        estimator = load_used(checkpoint, "estimator", device)
        finder = LandmarkFinder.load(checkpoints.checkpoint(checkpoint.uses.get("landmarks", LANDMARKS)), device)
        return cls(checkpoint, load_network(checkpoint, device), estimator, finder, device)

    def prepared(self, aligned: AlignedFace, options: Any) -> AlignedFace:
        return aligned.with_pixels(without_grain(aligned.pixels, options.grain))

    def completed(self, batch: Tensor, boxes: Tensor) -> Any:
        done = self._completion.symmetric(self._estimator, batch, boxes)
        return done._replace(picture=done.picture.clamp(-1, 1))

    def sizes(self, component: str) -> Sequence[tuple[int, int]]:
        from facestudio.networks.completion import LEVELS

        scale = 512 // self._completion.unshuffle
        maps = [getattr(self._completion, f"{component}_{level}") for level in range(LEVELS)]
        return [(scale >> level, len(entries)) for level, entries in enumerate(maps)]


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
