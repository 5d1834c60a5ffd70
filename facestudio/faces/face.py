"""What is known of one face: where it stands, how it was cropped, and who it is.

Only values live here, so that every floor may import them without torch or OpenCV. How a face is found, cropped, pasted
or embedded belongs to the neighbouring modules. Coordinates are pixels of the photo, x to the right, y downwards, pixel
centres at integers; "left" is always the left of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from facestudio.errors import FaceStudioError
from facestudio.quarters import carried_middles


def frozen_array(values: object, dtype: type, shape: tuple[int | None, ...]) -> np.ndarray:
    """Copy `values` into a read-only array of `dtype`; ValueError unless it has `shape` (None stands for any length)."""
    array: np.ndarray = np.array(values, dtype=dtype)
    if array.ndim != len(shape) or any(want not in (None, have) for want, have in zip(shape, array.shape, strict=True)):
        raise ValueError(f"expected an array of shape {shape}, got {array.shape}")
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Face:
    """One detection in a photo.

    Attributes:
        box: (4,) float32, left, top, right, bottom in photo pixels; may reach outside of the photo.
        landmarks: (5, 2) float32, left eye, right eye, nose, left and right mouth corner, in photo pixels.
        score: confidence in 0..1.
        pose: (3,) float32, yaw (nose to the right of the picture is positive), pitch (nose up is positive) and roll
            (clockwise is positive) in degrees; see `faces/pose.py`.
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float = 1.0
    pose: np.ndarray = (0.0, 0.0, 0.0)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        object.__setattr__(self, "box", frozen_array(self.box, np.float32, (4,)))
        object.__setattr__(self, "landmarks", frozen_array(self.landmarks, np.float32, (5, 2)))
        object.__setattr__(self, "pose", frozen_array(self.pose, np.float32, (3,)))
        object.__setattr__(self, "score", float(self.score))

    @property
    def interocular(self) -> float:
        """Distance between the two eyes in photo pixels."""
        return float(np.linalg.norm(self.landmarks[1] - self.landmarks[0]))

    @property
    def parts(self) -> tuple[tuple[float, float, float], ...]:
        """Where eyes, nose and mouth are: circles of x, y and radius, in photo pixels."""
        unit = max(self.interocular, 0.3 * float(np.sqrt(self.area)))
        left, right, nose, *corners = (tuple(map(float, point)) for point in self.landmarks)
        mouth = tuple((a + b) / 2 for a, b in zip(*corners, strict=True))
        at = ((left, 0.38), (right, 0.38), (nose, 0.3), (corners[0], 0.25), (mouth, 0.4), (corners[1], 0.25))
        return tuple((x, y, share * unit) for (x, y), share in at)

    def enlarged(self, times: float) -> Face:
        """The same face in the photo that is `times` as large, its corner pixel's corner where it was; itself for 1."""
        if times == 1:
            return self
        box, landmarks = ((of + 0.5) * times - 0.5 for of in (self.box, self.landmarks))
        return replace(self, box=box, landmarks=landmarks)

    def turned(self, degrees: int, size: tuple[int, int]) -> Face:
        """The same face in the photo of `size` (width, height) turned clockwise by `degrees`, 0, 90, 180 or 270; itself for 0."""
        if not degrees:
            return self
        corners = carried_middles(self.box.reshape(2, 2), degrees, size)
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        yaw, pitch, roll = self.pose
        # yaw and pitch are the head's own, see faces/pose.py
        pose = np.array([yaw, pitch, (roll + degrees + 180) % 360 - 180])
        return replace(self, box=box, landmarks=carried_middles(self.landmarks, degrees, size), pose=pose)

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return float(max(self.box[2] - self.box[0], 0) * max(self.box[3] - self.box[1], 0))


@dataclass(frozen=True, eq=False)
class Template:
    """Where the five landmarks stand in a square crop: `points` (5, 2) float64 in pixels of a crop of side `size`."""

    name: str
    size: int
    points: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", frozen_array(self.points, np.float64, (5, 2)))

    def scaled(self, size: int) -> Template:
        """The same framing for a crop of another side."""
        return Template(f"{self.name}@{size}", size, self.points * (size / self.size))


_FFHQ = np.array(
    [
        (192.98138, 239.94708),
        (318.90277, 240.19360),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    ]
)
_ARCFACE = [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]

FFHQ_512 = Template("FFHQ_512", 512, _FFHQ)
FFHQ_256 = Template("FFHQ_256", 256, _FFHQ / 2)
ARCFACE_112 = Template("ARCFACE_112", 112, np.array(_ARCFACE))
TEMPLATES = {template.name: template for template in (FFHQ_512, FFHQ_256, ARCFACE_112)}


@dataclass(frozen=True, eq=False)
class AlignedFace:
    """A face cropped upright: `pixels` (S, S, 3) uint8 RGB, `matrix` (2, 3) float64 from photo to crop, `template`."""

    pixels: np.ndarray
    matrix: np.ndarray
    template: Template

    def __post_init__(self) -> None:
        size = self.template.size
        object.__setattr__(self, "pixels", frozen_array(self.pixels, np.uint8, (size, size, 3)))
        object.__setattr__(self, "matrix", frozen_array(self.matrix, np.float64, (2, 3)))

    @property
    def scale(self) -> float:
        """Crop pixels a photo pixel: below 1 the crop holds less detail than the photo."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def with_pixels(self, pixels: np.ndarray) -> AlignedFace:
        """The same crop showing other `pixels` (S, S, 3) uint8 RGB."""
        return AlignedFace(pixels, self.matrix, self.template)


@dataclass(frozen=True, eq=False)
class Identity:
    """Who a face is to one embedder: `embedding` (D,) float32 of unit length, `embedder` its checkpoint id.

    It is made of an embedding of any length; FaceStudioError when that has no direction.
    """

    embedding: np.ndarray
    embedder: str

    def __post_init__(self) -> None:
        embedding = np.asarray(self.embedding, dtype=np.float64)
        length = float(np.linalg.norm(embedding))
        if not np.isfinite(length) or length == 0:
            raise FaceStudioError(
                f"{self.embedder} gives no usable identity for this face: its embedding is zero or contains "
                "values that are not numbers.",
                hint=(
                    "If this happens with every face, its file is damaged or belongs to another network; download "
                    "or import it again."
                ),
            )
        object.__setattr__(self, "embedding", frozen_array(embedding / length, np.float32, (None,)))


def similarity(a: Identity, b: Identity) -> float:
    """Cosine of two identities in -1..1; ValueError when they come from different embedders."""
    if a.embedder != b.embedder:
        raise ValueError(f"identities of {a.embedder} and {b.embedder} cannot be compared")
    return float(np.clip(np.dot(a.embedding.astype(np.float64), b.embedding.astype(np.float64)), -1.0, 1.0))
