"""The facade: the one object through which the window and the command line use everything else.

It keeps what it has loaded (`loaded.py`). It knows no Qt, and imports torch (through `pipeline`, `faces` and `methods`) only
inside its methods, so that the window can open before torch is loaded. Its methods may be called from any thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facestudio import checkpoints as store
from facestudio import device as devices
from facestudio.anonymize_settings import HIDING, Effort
from facestudio.checkpoints import Checkpoint
from facestudio.doctor import Finding, examine
from facestudio.errors import CheckpointMissing, NoFaceFound, UsageError
from facestudio.faces.face import Face, Identity
from facestudio.judges import ALL, own_marks, to_calibrate
from facestudio.loaded import DETECTOR, LANDMARKS, PEOPLE, SLIDERS
from facestudio.offers import Offers
from facestudio.options import options_of
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.store import forget_calibration

if TYPE_CHECKING:
    from facestudio.album import Album
    from facestudio.alike import Likeness
    from facestudio.anonymized import Anonymized
    from facestudio.casting import Cast, Pseudonym
    from facestudio.datasets.places import Place
    from facestudio.datasets.records import PersonRecord
    from facestudio.datasets.running import Drawn, Shard, Writing
    from facestudio.datasets.tables import Measured
    from facestudio.faces.standing import Standing
    from facestudio.generating import Commission, Gallery, Portrait
    from facestudio.mended_photos import MendedPhotos
    from facestudio.mending.by_hand import ByHand
    from facestudio.methods.base import Replacing
    from facestudio.newcomers import Newcomers
    from facestudio.own_people import Calibrated
    from facestudio.populating import Order
    from facestudio.results import Comparison, Result
    from facestudio.reviewing import Decision, Finished
    from facestudio.scratch_masks import PhotoMasks
    from facestudio.secret import Secret
    from facestudio.trying import Choice, Resort


class Studio(Offers):
    """Everything the product can do, on one device.

    Args:
        device: "auto", "cpu", "cuda" or "mps"; looked at only when something is computed.
        max_megapixels: larger photos are refused before they are decoded.
        far: the false accept rate at which a verdict says "same person".
        judges: which recognisers judge: "all" that are calibrated, or those that come with the program ("starter").
    """

    def __init__(
        self, device: str = "auto", max_megapixels: float = 150.0, far: float = 1e-3, judges: str = ALL
    ) -> None:
        super().__init__(device, far, judges)
        self.max_megapixels = max_megapixels
        self._mended: MendedPhotos | None = None

    # ---- photos and faces

    def open(
        self, path: Path | str, *, salvage: bool = False, reading: Callable[[float | None], None] | None = None
    ) -> Photo:
        """Read a photo; PhotoError, in one sentence, when it cannot be read. With `salvage`, a damaged file is read as far as
        possible. `reading`: as of `Photo.open`."""
        return Photo.open(Path(path), max_megapixels=self.max_megapixels, salvage=salvage, reading=reading)

    def detect(self, photo: Photo, progress: Progress | None = None, *, unsure: bool = False) -> tuple[Face, ...]:
        """The faces of `photo`, largest first; empty when there is none. With `unsure`, faces with lower scores follow, which
        anonymizing needs."""
        if not unsure:
            return self._detector().detect(photo, progress)
        from facestudio.anonymizing import FOUND
        from facestudio.faces.detect import MINIMUM_SCORE

        found = self._detector().detect(photo, progress, FOUND)
        return tuple(sorted(found, key=lambda face: face.score < MINIMUM_SCORE))

    def standing(self, photo: Photo, progress: Progress | None = None) -> Standing:
        """Which quarter turn sets `photo` upright, judging by its faces (faces/standing.py)."""
        from facestudio.faces.standing import standing

        return standing(self.detect(photo, progress))

    def detect_behind(self, photo: Photo, seen: Photo, progress: Progress | None = None) -> tuple[Face, ...]:
        """The faces of `photo`, ordered as by `detect`, then those found only in `seen`, the photo without its scratches (see
        `mended`). So a face keeps its number whether scratches are mended or not."""
        faces = self.detect(photo, progress)
        if seen is photo:
            return faces
        from facestudio.faces.duplicates import seen_again

        known, new = seen_again(faces, self.detect(seen, progress))
        return known + new

    def face_at(self, photo: Photo, box: tuple[float, float, float, float], progress: Progress | None = None) -> Face:
        """The face in a rough `box` (left, top, right, bottom in photo pixels) that `detect` missed.

        Its score is what the networks give it, however low. UsageError when the box is not finite, smaller than 8 px, or
        outside the photo.
        """
        from facestudio.faces.missed import face_at

        return face_at(photo, box, self._detector(), self._finder(), progress)

    def largest_face(self, photo: Photo, progress: Progress | None = None) -> Face:
        """The largest face of `photo`; NoFaceFound names the photo without one."""
        faces = self.detect(photo, progress)
        if not faces:
            name = photo.path.name if photo.path else "the photo"
            raise NoFaceFound(f"No face was found in {name}.", hint="Use a photo with a larger, upright face.")
        return faces[0]

    def mended(
        self, photo: Photo, scratches: str, progress: Progress | None = None, by_hand: ByHand | None = None
    ) -> Photo:
        """`photo` without its scratches, for finding faces that they hid; `photo` itself when it has none.

        Only for detection: parts of faces may have been mended as well, which `restore` puts back. The work is kept for
        `restore` as long as `photo` lives.

        Args:
            scratches: "careful", "strong", "by hand", or "" for nothing unless `by_hand` is given; UsageError otherwise.
            by_hand: what a person says of the scratches.
        """
        return self._scratches().seen(photo, scratches, progress, by_hand)

    def marks(
        self,
        photo: Photo,
        scratches: str,
        faces: Sequence[Face] = (),
        progress: Progress | None = None,
        by_hand: ByHand | None = None,
    ) -> np.ndarray:
        """What would be mended in `photo` when it shows `faces`, as (H, W) bool; searched for once, for `restore` as well.
        `by_hand`: what a person says of it; UsageError when its mask is of another size."""
        return self._scratches().marks(photo, scratches, faces, progress, by_hand)

    def _scratches(self) -> MendedPhotos:
        """What was found and mended of photos."""
        from facestudio.mended_photos import MendedPhotos

        with self._lock:
            self._mended = self._mended or MendedPhotos()
        return self._mended

    def open_scratch_mask(self, path: Path | str, photo: Photo | None = None) -> ByHand:
        """Read a mask of damage from a file: white is damaged, black is not. UsageError when the picture is not a mask, or not
        one of `photo`, as that lies; PhotoError as of `open`. Without `photo`, sizes are compared when one is mended."""
        from facestudio.mending.by_hand import ByHand
        from facestudio.scratch_masks import read_mask

        by_hand = ByHand(mask=read_mask(Path(path), self.max_megapixels))
        if photo is not None:
            by_hand.check_fits(photo.pixels.shape[:2])
        return by_hand

    def scratch_masks(
        self, folder: Path, places: Mapping[Path, Path], inputs: Sequence[Path] = (), others: Sequence[Path] = ()
    ) -> PhotoMasks:
        """The masks in `folder` for photos of a run on `inputs`, which lie in the same `places` below theirs (`planning.places`);
        `others` are no masks, wherever they lie. UsageError as of `PhotoMasks`."""
        from facestudio.scratch_masks import MaskFolder, PhotoMasks

        return PhotoMasks(MaskFolder(folder, others), places, self.open_scratch_mask, inputs)

    def save_scratch_mask(self, result: Result, output: Path, overwrite: bool = False) -> Path | None:
        """Write the mask of what was mended in `result` beside its `output`, so that it can be corrected in a paint program and
        given back. None when no mending was asked for; UnwritableOutput when the mask cannot be written or the file exists."""
        from facestudio.scratch_masks import mask_beside, write_mask

        if result.mended is None:
            return None
        return write_mask(mask_beside(output), result.mended.mask, overwrite)

    def write_scratch_mask(self, mask: np.ndarray, path: Path, overwrite: bool = False) -> Path:
        """Write a `mask` of damage, (H, W) bool, as a PNG that `open_scratch_mask` reads; UnwritableOutput when it cannot be
        written, or the file exists and is not to be replaced."""
        from facestudio.scratch_masks import write_mask

        return write_mask(path, mask, overwrite)

    def restore(
        self,
        photo: Photo,
        faces: tuple[Face, ...],
        recipe: Recipe,
        selected: set[int] | None = None,
        progress: Progress | None = None,
        *,
        aligned: bool = False,
        reference: tuple[Photo, Face] | None = None,
        by_hand: ByHand | None = None,
    ) -> Result:
        """Restore the `selected` (None: all) `faces` by `recipe` and measure what is left of each person.

        Args:
            faces: as of `detect`, or better of `mended` when scratches are mended. If there are none, scratches are still mended.
            aligned: the photo is itself an FFHQ-framed crop; `faces` is ignored.
            reference: a clear photo of the person and the face in it, for methods that can be told.
            by_hand: what a person says of the scratches.

        If the recipe or `by_hand` ask for it, scratches are mended first; the result's `before` still shows them. If the recipe
        says `upscale`, `before` is the enlarged photo and faces are placed in that. If the recipe's `turn` differs from the
        photo's, the photo is turned first, with `faces` and `by_hand`. Errors as of `pipeline.restore`.
        """
        from facestudio import pipeline
        from facestudio.results import Reference
        from facestudio.subject import Subject, turned

        started = time.perf_counter()
        restorer, progress = self._restorer(recipe.checkpoint), progress or Progress()
        photo, faces, by_hand = turned(photo, faces, by_hand, recipe.turn)
        mended = None
        if recipe.scratches or by_hand is not None:
            shown = Subject.aligned(photo, restorer.template).faces if aligned else faces
            mended = self._scratches().sparing(photo, recipe.scratches, shown, progress, by_hand)
        photo = photo.enlarged(recipe.upscale, self.max_megapixels)
        if aligned:
            subject = Subject.aligned(photo, restorer.template, mended)
        else:
            subject = Subject(photo, tuple(face.enlarged(recipe.upscale) for face in faces), selected, mended)
        told = None if reference is None else Reference(self.identity(*reference), reference[0].content_hash)
        result = pipeline.restore(subject, restorer, recipe, self._judges(), reference=told, progress=progress)
        return replace(result, seconds=time.perf_counter() - started) if mended is not None else result

    def anonymize(
        self,
        photo: Photo,
        faces: tuple[Face, ...],
        recipe: Recipe,
        choice: Choice | None = None,
        progress: Progress | None = None,
        *,
        effort: Effort | None = None,
        cast: Cast | None = None,
    ) -> Anonymized:
        """Change `faces` by `recipe` until no recogniser knows them, or hide them by the fallback.

        Args:
            faces: should come from `detect` with `unsure`.
            choice: what is to be done with which face; None: all are changed.
            effort: how often a face is tried, and what hides it then; None: as usual.
            cast: says whom people become; without one everybody becomes somebody new.

        UsageError when the fallback does not hide faces; errors as of `anonymizing.anonymize`.
        """
        from facestudio import anonymizing
        from facestudio.trying import Treatment

        anonymizing.check_whole(photo)
        method, resort = self._method(recipe.checkpoint), self._resort(effort or Effort())
        treatment = Treatment(method, options_of(method.Options, recipe.options), recipe.seed, resort)
        return anonymizing.anonymize(
            photo,
            faces,
            treatment,
            self._judges(),
            self._detector(),
            choice=choice,
            cast=cast,
            progress=progress,
        )

    def _resort(self, effort: Effort) -> Resort:
        """What is done where a try is not enough; UsageError when the fallback does not hide faces."""
        from facestudio.methods.base import Obscurer
        from facestudio.trying import Resort

        fallback = None if effort.fallback is None else self._method(effort.fallback)
        if fallback is not None and not isinstance(fallback, Obscurer):
            raise UsageError(f"{effort.fallback} cannot be fallen back to: it does not hide faces.")
        return Resort(effort.tries, fallback, self._method(HIDING))

    def album(self, checkpoint_id: str, secret: Secret, similar: bool = False) -> Album:
        """An album: it decides whom the people of many photos become with the method of a checkpoint, the same in all photos.

        `similar`: as of `cast`. UsageError when the method does not replace people; CheckpointMissing when the recogniser that
        it is conditioned on is not installed.
        """
        from facestudio.album import Album

        method = self._replacing(checkpoint_id)
        if method.people.embedder not in [embedder.id for embedder in self._embedders()]:
            lack = f"{checkpoint_id} needs the recogniser {method.people.embedder}, which is not installed."
            raise CheckpointMissing(lack, hint="Run `facestudio doctor` to see what is missing.")
        return Album(method.people, self._recognisers, secret, self._nearest(method) if similar else None)

    def cast(
        self,
        checkpoint_id: str,
        pseudonyms: Mapping[int, Iterator[Pseudonym]] | None = None,
        newcomers: Newcomers | None = None,
        *,
        similar: bool = False,
    ) -> Cast:
        """A cast of one photo; `pseudonyms`, `newcomers`: as of a Cast. With `similar` the other faces become people who are like
        them in apparent age and gender presentation, as far as that can be told; errors as of `album`."""
        from facestudio.casting import Cast

        return Cast(pseudonyms, self._nearest(self._method(checkpoint_id)) if similar else None, newcomers)

    def pseudonym(self, checkpoint_id: str, secret: Secret, token: str) -> Pseudonym:
        """The person of a `token` that a record names, drawn again by the secret of its run; UsageError as of `album`."""
        from facestudio.casting import Pseudonym

        return Pseudonym(token, self._replacing(checkpoint_id).people.draw(secret.seed(token)))

    def _replacing(self, checkpoint_id: str) -> Replacing:
        """The method of a checkpoint that makes somebody else of a face; UsageError when it does not."""
        from facestudio.methods.base import Replacing

        method = self._method(checkpoint_id)
        if not isinstance(method, Replacing):
            raise UsageError(f"{checkpoint_id} does not replace people by others, so nobody can stay the same.")
        return method

    def makes_people(self, checkpoint_id: str) -> bool:
        """Whether the method of a checkpoint replaces a face by another person's, so that it can be told whose; imports no
        torch."""
        from facestudio.methods.base import method_class

        return hasattr(method_class(store.checkpoint(checkpoint_id)), "becoming")

    def anonymize_again(
        self,
        finished: Finished,
        decision: Decision | None = None,
        progress: Progress | None = None,
        *,
        effort: Effort | None = None,
        cast: Cast | None = None,
    ) -> Anonymized:
        """A photo anonymized as its record says, except for the face that a person took a `decision` on; see `reviewing.again`.

        `effort` is that of its run; `cast` says whom people become.
        """
        from facestudio import reviewing

        return reviewing.again(
            finished,
            decision,
            self._method,
            self._resort(effort or Effort()),
            self._judges(),
            self._detector(),
            cast=cast,
            progress=progress,
        )

    def compare(
        self,
        a: Photo,
        b: Photo,
        progress: Progress | None = None,
        *,
        faces: tuple[Face, Face] | None = None,
        aside: Collection[str] = (),
    ) -> Comparison:
        """Compare the largest face of `a` with the largest of `b`; NoFaceFound names the photo without one.

        With `faces`, one of `a` and one of `b`, these are compared and no face is searched for. The recognisers `aside`, such as
        those that a method which made one of the photos is conditioned on, do not judge.
        """
        from facestudio import pipeline

        judges = self._judges()
        judges = replace(judges, embedders=judges.without(aside))
        if not judges.embedders:
            lack = "No recogniser is installed."
            raise CheckpointMissing(lack, hint="Run `facestudio doctor` to see what is missing.")
        one, other = faces or (self.largest_face(a, progress), self.largest_face(b, progress))
        return pipeline.compare((a, one), (b, other), judges, progress)

    def generate(
        self,
        recipe: Recipe,
        commission: Commission,
        progress: Progress | None = None,
        done: Callable[[Portrait], None] = lambda portrait: None,
    ) -> Gallery:
        """Make pictures of somebody in a photo, or of people who do not exist; errors as of `generating.generate`.

        Without a photo, each picture shows the person of its own seed, or all show the recipe's `person`, or each shows whom the
        plan names; a method that does not know such people draws anybody. A draft is drawn quickly if the method can. A pose
        picture: as of `open_pose`. `done` is called with each picture, on this thread.
        """
        from facestudio import generating
        from facestudio.faces import sliders

        offered = self.sliders(recipe.checkpoint)
        sliders.check(recipe.sliders, offered, told=not commission.shows_anybody(recipe))
        if commission.pose is not None:
            self.check_posed(recipe.checkpoint)
        real = commission.source is not None
        method = self._synthesizer(recipe.checkpoint)
        listener = self._listener(method.embedder, method.id) if real else None
        if commission.draft:
            recipe = generating.drafted(recipe, method)
        moved = self._moving(method, recipe.sliders, real=real) if recipe.sliders else method
        easel = generating.Easel(moved, self._detector(), listener, self._finder(), self._space(method))
        # a draft is not measured, and whoever drags a slider does not wait for what would measure it
        judges = None if commission.draft else self._judges()
        return generating.generate(easel, recipe, commission, judges, progress, done)

    def open_pose(self, path: Path | str, checkpoint_id: str) -> Photo:
        """Read a pose picture (faces/normals.py) for a checkpoint's method.

        UsageError when the method cannot use one or the file is not one; CheckpointMissing when the weights for it are not
        installed; PhotoError as of `open`. Does not import torch.
        """
        from facestudio.faces.normals import normals

        self.check_posed(checkpoint_id)
        photo = self.open(path)
        normals(photo)
        return photo

    def alike(
        self, portraits: Sequence[Portrait], checkpoint_id: str, progress: Progress | None = None
    ) -> tuple[Likeness, ...]:
        """How alike each recogniser finds the faces of `portraits`, and on which recognisers the checkpoint's method is
        conditioned."""
        from facestudio.alike import alike

        method = self._synthesizer(checkpoint_id)
        told = (method.embedder, *method.checkpoint.conditioned_on)
        return alike(portraits, self._embedders(), told, self.far, progress)

    def populate(
        self,
        out: Path,
        recipe: Recipe,
        order: Order,
        *,
        shard: Shard | None = None,
        writing: Writing | None = None,
        progress: Progress | None = None,
        done: Callable[[PersonRecord], None] = lambda record: None,
    ) -> tuple[Drawn, Measured]:
        """Draw the people of `order`, or the `shard` of them, by `recipe` into folders in `out`, and write tables of all who are
        there.

        The sliders of the recipe apply to everybody. CheckpointMissing when no identities are installed for the recipe's method,
        or no recogniser to judge it; errors as of `datasets.asking.check` and `datasets.running.run`.
        """
        from facestudio.datasets import asking, page, running, tables
        from facestudio.faces import sliders
        from facestudio.populating import Painter, plan

        shard, writing = shard or running.Shard(), writing or running.Writing()
        asking.check(out, order, shard, writing.suffix)
        sliders.check(recipe.sliders, self.sliders(recipe.checkpoint))
        method = self._synthesizer(recipe.checkpoint)
        options = options_of(method.Options, recipe.options)
        space, judges, detector = self._people(method), self._judges_of(method), self._detector()
        tables.check_targets(out)
        moved = self._moving(method, recipe.sliders, real=False) if recipe.sliders else method
        painter = Painter(moved, space, detector, judges, options, order, self.far, self._reading(method))
        settings = asking.settings_of(recipe, options, order, self.far, writing.suffix, asking.rule_at(out))
        judging = [judge.checkpoint for judge in judges]
        entries = [method.checkpoint, *judging, *self._standing_on(method.checkpoint, recipe)]
        settings |= asking.settings_by_weights(space.strangers, entries, own_marks(judging))
        titles = {judge.id: judge.checkpoint.title for judge in judges}
        drawn = running.run(
            out,
            plan(space, order, progress),
            painter,
            recipe,
            running.Circumstances(settings, self.device_name(), titles),
            shard=shard,
            writing=writing,
            progress=progress,
            done=done,
        )
        return drawn, page.write_report(out, progress)

    def _standing_on(self, checkpoint: Checkpoint, recipe: Recipe) -> list[Checkpoint]:
        """The other checkpoints that decide what the pictures of a dataset are like."""
        used = {PEOPLE, DETECTOR, LANDMARKS, *checkpoint.uses.values(), *([SLIDERS] if recipe.sliders else ())}
        return [entry for entry in self.checkpoints() if entry.id in used]

    def dataset_at(self, out: Path, recipe: Recipe, order: Order, suffix: str = ".png") -> Place:
        """What is in the folder `out`, before `populate` starts or continues there; does not import torch, writes nothing."""
        from facestudio.datasets import asking, places

        options = options_of(self.method_options(recipe.checkpoint), recipe.options)
        rule = asking.rule_at(out)
        return places.look_at(out, asking.settings_of(recipe, options, order, self.far, suffix, rule))

    def identity(self, photo: Photo, face: Face) -> dict[str, Identity]:
        """Who `face` is to each embedder, by the embedder's id."""
        return self.identities(photo, [face])[0]

    def identities(
        self, photo: Photo, faces: Sequence[Face], progress: Progress | None = None
    ) -> tuple[dict[str, Identity], ...]:
        """Who each of `faces` is to each embedder, by the embedder's id; an embedder is called once, with all faces."""
        from facestudio.faces.judging import Judges

        return Judges(self._embedders()).identities(photo, faces, progress)

    def calibrate(self, checkpoint_id: str, folder: Path | str, progress: Progress | None = None) -> Calibrated:
        """Calibrate a published recogniser on the photos in `folder`, which has one subfolder per person, so that it can judge.

        Nothing is written until everything is done, and then neither pictures nor embeddings. UsageError for weights that are not
        a recogniser's or come with a calibration; CheckpointMissing when they are not installed; errors as of `own_people`.
        """
        from facestudio import own_people
        from facestudio.faces.identity import Embedder

        entry = to_calibrate(checkpoint_id)
        if not entry.here:
            lack = f"The weights of {entry.title} are not installed."
            raise CheckpointMissing(
                lack, hint="Install them with `facestudio weights get` or `facestudio weights import`."
            )
        progress = progress or Progress()
        with progress.step(f"Calibrating {entry.title}"):
            people = own_people.survey(Path(folder), progress)
            embedder = Embedder.load(entry, devices.resolve(self._device), self._identities)
            found = own_people.calibrate(
                people, embedder, self._detector(), self._panel(), progress, self.max_megapixels
            )
        own_people.keep(entry, found)
        self.forget(entry.id)
        return found

    def uncalibrate(self, checkpoint_id: str) -> bool:
        """Forget the user's calibration of a recogniser; whether there was one. UsageError as of `calibrate`."""
        found = forget_calibration(to_calibrate(checkpoint_id).id)
        self.forget(checkpoint_id)
        return found

    def prepare(self, checkpoint_id: str | None = None, listening: bool = False) -> None:
        """Load the detector and, for a checkpoint, its method and the judges, so that the next call does not have to wait.

        With `listening`, first load the recogniser that the method is conditioned on; CheckpointMissing when it is not installed.
        """
        self._detector()
        if checkpoint_id is not None:
            if listening:
                of = store.checkpoint(checkpoint_id)
                self._listener(next(iter(of.conditioned_on), ""), of.id)
            self._method(checkpoint_id)
            self._panel()

    # ---- files of weights

    def export(
        self, checkpoint_id: str, target: Path | str, overwrite: bool = False, progress: Progress | None = None
    ) -> Path:
        """Write a detector, landmark finder or embedder as an ONNX file that other programs can run; errors as of
        `faces.exporting.export`."""
        from facestudio.faces.exporting import export

        return export(store.checkpoint(checkpoint_id), Path(target), overwrite, progress)

    def doctor(self) -> list[Finding]:
        """Check everything that must be right, with one finding each; hashes every weights file and imports torch."""
        return examine(self)
