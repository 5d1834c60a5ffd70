"""What is loaded once and kept: networks, methods, recognisers and what they share, on one device.

What the facade (`studio.py`) stands on; separate because what is done with all this is another matter. Torch is imported
(through `faces` and `methods`) only inside its methods, which may be called from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from facestudio import checkpoints as store
from facestudio import device as devices
from facestudio.checkpoints import Checkpoint
from facestudio.errors import CheckpointMissing, UsageError
from facestudio.faces.face import Face, Identity
from facestudio.faces.recent import Recent
from facestudio.judges import ALL, JUDGES, judging, own_marks, reaches

if TYPE_CHECKING:
    from facestudio.casting import Nearest
    from facestudio.faces.detect import Detector
    from facestudio.faces.identity import Embedder
    from facestudio.faces.judging import Judges
    from facestudio.faces.landmarks import LandmarkFinder
    from facestudio.faces.panel import Panel
    from facestudio.faces.people import IdentitySpace
    from facestudio.methods.base import Restorer, Synthesizer

DETECTOR, LANDMARKS, PANEL, PEOPLE = "starter-detector", "starter-landmarks", "starter-panel", "starter-people"
SLIDERS = "starter-sliders"
MOST_IDENTITIES = 4096  # kept of all embedders together, about 8 MB


class Loaded:
    """What has been loaded on `device`, and which recognisers judge.

    Args:
        device, far, judges: as of `Studio`; UsageError on other judges.
    """

    def __init__(self, device: str = "auto", far: float = 1e-3, judges: str = ALL) -> None:
        if judges not in JUDGES:
            raise UsageError(f"Judges are {' or '.join(JUDGES)}, not {judges}.")
        self._device = device
        self.far = far
        self.who_judges = judges
        self._lock = threading.RLock()
        self._kept: dict[str, Any] = {}
        self._identities: Recent[Identity] = Recent(MOST_IDENTITIES)

    # ---- what there is, and where it computes

    def checkpoints(self) -> list[Checkpoint]:
        """Every checkpoint of the manifest."""
        return list(store.load_manifest().values())

    def own_judges(self) -> tuple[str, ...]:
        """The recognisers that judge because the user calibrated them, each with a mark of its weights and calibration. Part of a
        run's settings, because results may differ with them. Empty when only ours judge; does not import torch."""
        return own_marks(self._judging())

    def _judging(self) -> list[Checkpoint]:
        """Every calibrated recogniser that is here and asked, ours first."""
        return judging(self.checkpoints(), self.who_judges)

    @property
    def device(self) -> str:
        """What computes, as it was asked for: "auto", "cpu", "cuda" or "mps"."""
        return self._device

    def devices_here(self) -> tuple[str, ...]:
        """What `use_device` takes on this computer; imports torch."""
        return devices.there()

    def use_device(self, name: str) -> None:
        """Compute on another device from now on and release everything that was loaded; running work ends where it began.

        UsageError when `name` is unknown or not available.
        """
        devices.resolve(name)
        with self._lock:
            if name == self._device:
                return
            self._device = name
            self._kept.clear()
            self._identities = Recent(MOST_IDENTITIES)
        devices.free()

    def device_name(self) -> str:
        """The device really used, in words; imports torch."""
        return devices.describe(devices.resolve(self._device))

    def forget(self, checkpoint_id: str) -> None:
        """Release everything loaded from a checkpoint's weights, also in other methods, because they were replaced or removed."""
        using = [entry.id for entry in self.checkpoints() if checkpoint_id in entry.uses.values()]
        with self._lock:
            self._kept.pop(f"embedder {checkpoint_id}", None)
            for id in (checkpoint_id, *using):
                self._kept.pop(f"method {id}", None)

    # ---- loaded once, under a lock

    def _keep(self, key: str, load: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = load()
            return self._kept[key]

    def _detector(self) -> Detector:
        from facestudio.faces.detect import Detector

        return self._keep(
            "detector",
            lambda: Detector.load(store.checkpoint(DETECTOR), devices.resolve(self._device), self._finder()),
        )

    def _finder(self) -> LandmarkFinder:
        from facestudio.faces.landmarks import LandmarkFinder

        return self._keep(
            "landmarks", lambda: LandmarkFinder.load(store.checkpoint(LANDMARKS), devices.resolve(self._device))
        )

    def _synthesizer(self, checkpoint_id: str) -> Synthesizer:
        return self._method(checkpoint_id)

    def _restorer(self, checkpoint_id: str) -> Restorer:
        return self._method(checkpoint_id)

    def _method(self, checkpoint_id: str) -> Any:
        from facestudio.methods.base import load_method

        return self._keep(
            f"method {checkpoint_id}",
            lambda: load_method(store.checkpoint(checkpoint_id), devices.resolve(self._device)),
        )

    def _embedders(self) -> list[Embedder]:
        """Every calibrated embedder whose weights are here, ours first."""
        return [self._embedder(entry) for entry in self._judging()]

    def _embedder(self, entry: Checkpoint) -> Embedder:
        """The embedder of `entry`, loaded again if its weights or its calibration have changed since."""
        from facestudio.faces.identity import Embedder

        key = f"embedder {entry.id}"
        with self._lock:
            if key in self._kept and self._kept[key].checkpoint != entry:
                del self._kept[key]
            return self._keep(key, lambda: Embedder.load(entry, devices.resolve(self._device), self._identities))

    def _listener(self, id: str, asking: str) -> Embedder:
        """The embedder `id` that the method `asking` is conditioned on. It need not be calibrated; CheckpointMissing when it is
        not installed."""
        entry = next((c for c in self.checkpoints() if c.id == id), None)
        if entry is None or not entry.here:
            get = entry is not None and entry.published
            raise CheckpointMissing(
                f"{asking} follows the person in a photo through the recogniser {id}, which is not installed.",
                hint=f"Get it under File > Weights, or with `facestudio weights get {id}`."
                if get
                else "`facestudio weights list` shows what is installed and what is available.",
            )
        return self._embedder(entry)

    def _space(self, method: Synthesizer) -> IdentitySpace | None:
        """The space of people who do not exist, for the embedder that `method` is conditioned on; None when there is none."""
        from facestudio.faces.people import IdentitySpace

        entries = {entry.id: entry for entry in self.checkpoints()}
        entry = entries.get(PEOPLE)
        if entry is None or not entry.here or method.embedder not in entry.conditioned_on:
            return None
        return self._keep("people", lambda: IdentitySpace.load(entry, entries))

    def _people(self, method: Synthesizer) -> IdentitySpace:
        """As `_space`; CheckpointMissing when there is none."""
        space = self._space(method)
        if space is None:
            lack = (
                f"Nothing installed tells {method.checkpoint.id} whom to draw: it follows the recogniser "
                f"{method.embedder}."
            )
            raise CheckpointMissing(lack, hint="Choose the starter weights, such as --checkpoint starter-prior.")
        return space

    def _reading(self, method: Synthesizer) -> Callable[[np.ndarray, Face], Mapping[str, float]]:
        """A function that reads attributes of a face drawn by `method` from the recogniser that it is conditioned on. It reads
        nothing if that recogniser or the sliders' directions are not installed."""
        from facestudio.faces.resemblance import READ, Resemblance
        from facestudio.faces.sliders import Sliders

        known, space = {entry.id: entry for entry in self.checkpoints()}, self._space(method)
        here = {id for id in (SLIDERS, method.embedder) if id in known and known[id].here}
        if space is None or here != {SLIDERS, method.embedder} or space.embedder not in known[SLIDERS].conditioned_on:
            return lambda pixels, face: {}
        sliders: Sliders = self._keep("sliders", lambda: Sliders.load(known[SLIDERS], known))
        listener, looks = self._embedder(known[method.embedder]), Resemblance(space, sliders, READ)
        return lambda pixels, face: looks.named(listener.embed(pixels, face.landmarks))

    def _moving(self, method: Synthesizer, settings: Mapping[str, float], real: bool) -> Synthesizer:
        """`method` with its sliders at `settings`. Unless the person is `real`, the sliders lead nobody to a training person."""
        from facestudio.faces.sliders import Sliders
        from facestudio.methods.moving import KNOWN, Moving

        known = {entry.id: entry for entry in self.checkpoints()}
        moves: Sliders = self._keep("sliders", lambda: Sliders.load(known[SLIDERS], known))
        space = None if real else self._space(method)
        drawn = self._keep("first drawings", lambda: Recent(KNOWN))
        aside = {} if space is None else {"aside": space.apart}
        return Moving(method, moves, settings, self._finder(), known=drawn, **aside)

    def _judges_of(self, method: Synthesizer) -> list[Embedder]:
        """The embedders that may judge a dataset drawn by `method`: it is not conditioned on them, and they are calibrated at the
        asked rate. CheckpointMissing when there are none."""
        told = (method.embedder, *method.checkpoint.conditioned_on)
        judges = [embedder for embedder in self._embedders() if embedder.id not in told]
        judges = [judge for judge in judges if judge.checkpoint.own is None or reaches(judge.checkpoint, self.far)]
        if not judges:
            lack = (
                f"No recogniser is installed that can judge {method.checkpoint.id}: it is conditioned on all of them."
            )
            raise CheckpointMissing(lack, hint="Run `facestudio doctor` to see what is missing.")
        return judges

    def _recognisers(self) -> tuple[list[Embedder], Panel | None]:
        """The embedders that group photos by person (those that the panel was fitted to), and the panel."""
        embedders, panel = self._embedders(), self._panel()
        return [embedder for embedder in embedders if panel is None or panel.knows(embedder.id)], panel

    def _judges(self) -> Judges:
        """The embedders and the panel, at the asked rate."""
        from facestudio.faces.judging import Judges

        return Judges(self._embedders(), self._panel(), self.far)

    def _panel(self) -> Panel | None:
        """The embedders' joint calibration; None when the manifest has none, or not all of its embedders are installed."""
        from facestudio.faces.panel import Panel

        with self._lock:  # else the device might be another between its embedders and it
            embedders = {embedder.id: embedder for embedder in self._embedders()}
            entry = next((c for c in self.checkpoints() if c.id == PANEL), None)
            if entry is None or not set(entry.calibration.get("embedders", {})) <= set(embedders):
                return None
            return self._keep("panel", partial(Panel.load, entry, embedders))

    def _nearest(self, method: Any) -> Nearest:
        from facestudio.faces.resemblance import Resemblance
        from facestudio.faces.sliders import Sliders
        from facestudio.methods.base import Replacing

        known = {entry.id: entry for entry in self.checkpoints()}
        if not isinstance(method, Replacing):
            raise UsageError(f"{method.id} does not replace people by others, so nobody can be similar.")
        if SLIDERS not in known or not known[SLIDERS].here:
            raise CheckpointMissing(
                f"{SLIDERS}, which tells who is similar, is not installed.", hint="Install Face Studio again."
            )
        sliders: Sliders = self._keep("sliders", lambda: Sliders.load(known[SLIDERS], known))
        return Resemblance(method.people, sliders).nearest
