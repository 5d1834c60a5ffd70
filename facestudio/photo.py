"""A photo: what every other part of Face Studio sees of a picture file, and the two ways between pixels and tensors.

A Photo is RGB uint8, upright and in sRGB, whatever its file held; it remembers the rest (alpha, colour profile, EXIF,
XMP), so that saving gives back the same kind of file. It is a value: `with_pixels` makes another one. How files are
read and written is in `decoding`, `encoding`, `colour`, `metadata` and `files`; this module knows no faces and no
methods, and imports torch only inside of `to_tensor` and `to_pixels`.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, cast

import numpy as np

from facestudio.colour import Colour, enlarged
from facestudio.decoding import Decoded, decode, deep_note
from facestudio.depth import FORMATS as DEEP
from facestudio.encoding import Picture, encode
from facestudio.errors import DamagedPhoto, UnreadablePhoto, UnwritableOutput, UsageError
from facestudio.files import Watched, open_regular, same_file, shown, write_beside
from facestudio.formats import SUFFIXES, WITH_CMYK, WITHOUT_ALPHA, WORDS, format_name, mistyped, supported_suffix
from facestudio.icc import anonymous, changed
from facestudio.metadata import Metadata, for_output
from facestudio.previews import blanked
from facestudio.quarters import turned
from facestudio.salvaging import Damage

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SUFFIXES", "Photo", "supported_suffix", "to_pixels", "to_tensor"]


class Recorded(Protocol):
    """What a saved photo can record: a Recipe, or anything else that turns into one line of JSON."""

    def to_json(self) -> str: ...


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo.

    Attributes:
        pixels: (H, W, 3) uint8 RGB in sRGB, upright, read-only.
        alpha: (H, W) uint8, put back when the photo is saved; None when every pixel is seen.
        path: of its file; None for a photo without one.
        format: Pillow's name of its file's format, such as "JPEG".
        notes: sentences on what of the file is not in the pixels, such as the other frames of an animation.
        bits: per colour in the file.
        colour: what the file held in its own colour space; metadata: what it said about the photo.
        lossless: whether its file was stored without loss.
        synthetic: whether all of it was made, so that it shows nobody; saved files say so.
        damage: what of a damaged file could not be read; None of a file that is whole. Black, or as the decoder left it.
        turn: by how many degrees clockwise it is turned from how its file has it upright: 0, 90, 180 or 270.
        alpha_lower: the lower bytes of `alpha` where its file holds 16 bits; those of the colours are in `colour`. They are kept,
            one byte more a sample, and not read again when the photo is saved: so it does not matter what became of its file, and
            that a result has 16 bits is known before it is written.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    path: Path | None = None
    format: str = "PNG"
    notes: tuple[str, ...] = ()
    bits: int = 8
    colour: Colour | None = field(default=None, repr=False)
    metadata: Metadata = field(default_factory=Metadata, repr=False)
    lossless: bool = True
    synthetic: bool = False
    damage: Damage | None = field(default=None, repr=False)
    turn: int = 0
    alpha_lower: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8 or not self.pixels.size:
            raise ValueError(f"pixels are (H, W, 3) uint8, not {self.pixels.shape} {self.pixels.dtype}")
        if self.alpha is not None and (self.alpha.shape != self.pixels.shape[:2] or self.alpha.dtype != np.uint8):
            raise ValueError(f"alpha is {self.pixels.shape[:2]} uint8, not {self.alpha.shape} {self.alpha.dtype}")
        for name in ("pixels", "alpha"):
            array = getattr(self, name)
            if array is not None and array.flags.writeable:
                array = array.view()
                array.setflags(write=False)
                object.__setattr__(self, name, array)

    @classmethod
    def open(
        cls,
        path: Path | str,
        max_megapixels: float = 150.0,
        *,
        salvage: bool = False,
        reading: Callable[[float | None], None] | None = None,
    ) -> Photo:
        """Read a photo's file; UnreadablePhoto in one plain sentence when that cannot be done.

        What the file holds decides how it is read, never its name. A larger photo is refused before it is decoded. With
        `salvage` what is readable of a damaged file is read (JPEG, PNG, TIFF), which is refused otherwise; see `damage`.
        `reading` is told again and again which share of the file was read, 0..1, and may raise Cancelled. JPEG, PNG, GIF, BMP and
        plain TIFF are read in portions; the others in one, of which it is told None.
        """
        path = Path(path)
        with open_regular(path) as file:
            try:
                watched = file if reading is None else cast(IO[bytes], Watched(file, reading))
                return cls._of(decode(watched, shown(path), max_megapixels, salvage, reading), path)
            except DamagedPhoto as error:
                error.path = path
                raise

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "The picture", max_megapixels: float = 150.0) -> Photo:
        """Read a photo from the bytes of a file that is not on a disk; `name` stands in the messages."""
        if not data:
            raise UnreadablePhoto(f"{name} is empty.", hint="Copy it again from where it came from.")
        return cls._of(decode(io.BytesIO(data), name, max_megapixels), None)

    @classmethod
    def from_pixels(cls, pixels: np.ndarray, alpha: np.ndarray | None = None) -> Photo:
        """A photo without a file, such as a pasted one; the arrays (H, W, 3) and (H, W) uint8 are copied."""
        return cls(pixels.copy(), None if alpha is None else alpha.copy())

    @classmethod
    def _of(cls, decoded: Decoded, path: Path | None) -> Photo:
        return cls(
            pixels=decoded.colour.srgb,
            alpha=decoded.alpha,
            path=path,
            format=decoded.format,
            notes=decoded.notes,
            bits=decoded.bits,
            colour=decoded.colour,
            metadata=decoded.metadata,
            lossless=decoded.lossless,
            damage=decoded.damage,
            alpha_lower=decoded.alpha_lower,
        )

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @cached_property
    def content_hash(self) -> str:
        """sha256 over the shape and the pixels, as hexadecimal."""
        digest = hashlib.sha256(repr(self.pixels.shape).encode())
        digest.update(np.ascontiguousarray(self.pixels).data)
        return digest.hexdigest()

    def with_pixels(self, pixels: np.ndarray) -> Photo:
        """The same photo with other pixels of the same shape. The array is taken over: do not write into it later."""
        if pixels.shape != self.pixels.shape:
            raise ValueError(f"a photo of {self.pixels.shape} cannot get pixels of {pixels.shape}")
        return replace(self, pixels=pixels)

    def with_alpha(self, alpha: np.ndarray) -> Photo:
        """The same photo of another transparency (H, W) uint8. The array is taken over: do not write into it later."""
        lower = self.alpha_lower
        if lower is not None and self.alpha is not None:
            lower = np.where(alpha == self.alpha, lower, alpha)
        return replace(self, alpha=alpha, alpha_lower=lower)

    def enlarged(self, times: int, max_megapixels: float = 150.0) -> Photo:
        """The same photo, `times` as high and wide, resampled plainly with 8 bits; UsageError when that is more than
        `max_megapixels`."""
        refusal = self.too_large(times, max_megapixels)
        if refusal:
            raise UsageError(refusal, hint="Choose a smaller enlargement.")
        if times == 1:
            return self
        colour = None if self.colour is None else self.colour.enlarged(times)
        pixels = enlarged(self.pixels, times) if colour is None else colour.srgb
        alpha = None if self.alpha is None else enlarged(self.alpha, times)
        damage = None if self.damage is None else self.damage.enlarged(times)
        return replace(self, pixels=pixels, alpha=alpha, colour=colour, damage=damage, alpha_lower=None)

    def turned(self, degrees: int) -> Photo:
        """The same photo turned clockwise by `degrees`, 0, 90, 180 or 270, with all that follows its pixels, and nothing lost.

        `turn` says by how much in all. What is kept of the metadata does not turn it a second time. ValueError for another
        number.
        """
        alike = self.colour is not None and self.colour.srgb is self.pixels  # then they are kept once
        colour = None if self.colour is None else self.colour.turned(degrees)
        pixels = colour.srgb if alike and colour is not None else turned(self.pixels, degrees)
        if not degrees:
            return self
        return replace(
            self,
            pixels=pixels,
            alpha=None if self.alpha is None else turned(self.alpha, degrees),
            colour=colour,
            damage=None if self.damage is None else self.damage.turned(degrees),
            metadata=self.metadata.turned(degrees, self.size),
            turn=(self.turn + degrees) % 360,
            alpha_lower=None if self.alpha_lower is None else turned(self.alpha_lower, degrees),
        )

    def without_made_up(self, before: Photo) -> Photo:
        """The same photo, but where nothing could be read of its damaged file it stays as it was `before`."""
        if self.damage is None or not self.damage.unread.any():
            return self
        return self.with_pixels(np.where(self.damage.unread[..., None], before.pixels, self.pixels))

    def too_large(self, times: int, max_megapixels: float = 150.0) -> str:
        """Why `enlarged` would refuse, in a sentence; "" when it would not."""
        megapixels = self.pixels.shape[0] * self.pixels.shape[1] * times**2 / 1e6
        if megapixels <= max_megapixels:
            return ""
        return f"Enlarged {times} times the photo would have {megapixels:.0f} megapixels; at most {max_megapixels:g} are made."

    def with_hidden(self, pixels: np.ndarray, where: np.ndarray) -> Photo:
        """As `with_pixels`; and where `where` (H, W) bool is set, nothing of what the file held comes back when it is saved.
        Nor does it say then whose faces are marked in the photo."""
        photo = self.with_pixels(pixels)
        if where.any():
            photo = replace(photo, metadata=self.metadata.without_marked_faces())
        if self.colour is None:
            return photo
        colour, lower = self.colour.renewed(pixels, where), self.alpha_lower
        if lower is not None and self.alpha is not None:
            lower = np.where(where | (pixels != self.colour.srgb).any(axis=2), self.alpha, lower)
        return replace(photo, colour=colour, alpha_lower=lower)

    def without_depth(self, where: np.ndarray) -> Photo:
        """The same photo with 8 bits per colour, and of its transparency, `where` (H, W) bool is set."""
        lower = self.alpha_lower
        if lower is not None and self.alpha is not None:
            lower = np.where(where, self.alpha, lower)
        return replace(self, colour=None if self.colour is None else self.colour.shallow(where), alpha_lower=lower)

    def in_16_bits(self) -> np.ndarray | None:
        """The samples that a file of 16 bits would hold, in its own colours, (H, W) or (H, W, 3) uint16; None without such."""
        if self.colour is None or not self._is_deep(DEEP[0]):
            return None
        return self.colour.deepened(self.colour.restore(self.pixels, cmyk=False)[0])

    def without_pixels(self) -> Photo:
        """One black pixel of which the same is said as of this photo, and which is as good as nothing to hand on."""
        pixel, deep = np.zeros((1, 1, 3), np.uint8), self._is_deep(DEEP[0])
        colour = Colour("RGB", None, pixel, None, lower=pixel if deep else None)
        return Photo(pixel, notes=self.notes, bits=self.bits, format=self.format, colour=colour)

    def loses_depth(self, format: str | None = None) -> bool:
        """Whether a file of `format` (None: its own) that this photo is saved as has fewer bits per colour than its original."""
        return self.bits > 8 and not self._is_deep(format or self.format)

    def _is_deep(self, format: str) -> bool:
        """Whether it is saved with 16 bits per colour in `format`."""
        if self.colour is None or format_name(format) not in DEEP or not self.colour.is_deep(self.pixels):
            return False
        profile = self.colour.profile  # one that cannot be written would leave sRGB, of which there are 8 bits
        return profile is None or (changed(profile, blanked) is not None and anonymous(profile) is not None)

    def losses(self, format: str | None = None, metadata_policy: str = "keep") -> tuple[str, ...]:
        """Sentences on what of this photo a file of `format` (None: its own) cannot hold."""
        name = format_name(format) if format else self.format
        found = []
        if self.alpha is not None and name in WITHOUT_ALPHA:
            found.append(f"{name} has no transparency, so the photo is laid over white.")
        if self.colour is not None and self.colour.mode in ("CMYK", "LAB") and name not in WITH_CMYK:
            found.append(f"{name} cannot hold this photo's colour space, so it is written in sRGB.")
        if name == "GIF":
            found.append("GIF holds 256 colours.")
        return (*found, *for_output(self.metadata, name or "", self.size, "", metadata_policy).losses)

    def not_shown(self, format: str | None = None) -> tuple[str, ...]:
        """Sentences on what of the original is not in these pixels, as they are said once these are saved in a file of `format`
        (None: its own)."""
        few = self.loses_depth(format)
        deep = (f"Saved with 8 bits per colour; the original has {self.bits}.",) if few else ()
        opened = [deep_note(self.bits, kept) for kept in (False, True)]
        notes = (note for note in self.notes if note not in opened)
        # "It" would be the file that was saved
        told = (f"The original {note.removeprefix('It ')}" if note.startswith("It ") else note for note in notes)
        return (*deep, *told)

    def not_saved(self, format: str | None = None, metadata_policy: str = "keep") -> tuple[str, ...]:
        """Sentences on what the original has and a saved file of `format` (None: the original's) has not: `not_shown`, and
        `losses`."""
        return (*self.not_shown(format), *self.losses(format, metadata_policy))

    def save(
        self,
        path: Path | str,
        format: str | None = None,
        recipe: Recorded | None = None,
        overwrite: bool = False,
        metadata_policy: str = "keep",
        generative: bool = True,
        check: Callable[[IO[bytes]], None] | None = None,
        token: str = "",
    ) -> Path:
        """Write the photo to `path`, whole or not at all; UnwritableOutput in one sentence when that cannot be done.

        Args:
            format: Pillow's name or a suffix; None means what the suffix of `path` says, else the original's format. A suffix
                that is neither a format's nor the original's own is refused.
            recipe: recorded in the file together with the mark that AI had a hand in it.
            overwrite: replace a file that is there already. The photo's own original is never replaced.
            metadata_policy: "keep" keeps EXIF, XMP and the rest; "strip" keeps nothing of them but of the colour profile what
                converts colours, which would be wrong without; "technical" keeps how the photo was exposed as well.
            generative: AI made what is new in the photo; otherwise the mark says that it was only altered.
            check, token: as of `files.write_beside`.

        Colours go back into the original's colour space. A format without alpha gets the photo laid over white.
        """
        path = Path(path)
        name = shown(path)
        chosen = format_name(format) if format else SUFFIXES.get(path.suffix.lower(), self.format)
        same = self.path is not None and path.suffix.lower() == self.path.suffix.lower()
        if not format and mistyped(path) and not same:
            words = f"{name} ends in {shown(path.suffix)}, which is not a format that can be written."
            raise UnwritableOutput(words, hint=f"Choose {WORDS}.")
        if chosen is None:
            raise UnwritableOutput(f"There is no format {format}.", hint=f"Choose {WORDS}.")
        if self.path is not None and same_file(path, self.path):
            message = f"{name} is the original, which is never overwritten."
            raise UnwritableOutput(message, hint="Choose another name or folder.")
        line = recipe.to_json() if recipe else None
        written = for_output(self.metadata, chosen, self.size, line, metadata_policy, self.synthetic, generative)

        def write(file: IO[bytes]) -> None:
            file.write(encode(self._picture(chosen, metadata_policy), chosen, written.settings, self.lossless, name))

        write_beside(path, write, overwrite, check, token)
        return path

    def _picture(self, format: str, metadata_policy: str) -> Picture:
        """The pixels in the original's colour space, as far as `format` can hold it; its profile says no more than colours unless
        metadata is kept, and shows no picture then."""
        if self.colour is None:
            return Picture(self.pixels, "RGB", self.alpha, None)
        samples, mode, profile = self.colour.restore(self.pixels, cmyk=format in WITH_CMYK)
        if profile is not None and format in ("BMP", "GIF"):
            return Picture(self.pixels, "RGB", self.alpha, None)  # no room for a profile: write what can be understood
        if profile is not None:
            profile = changed(profile, blanked) if metadata_policy == "keep" else anonymous(profile)
            if profile is None:
                return Picture(self.pixels, "RGB", self.alpha, None)
        if not self._is_deep(format):
            return Picture(samples, mode, self.alpha, profile)
        alpha = self.alpha
        if alpha is not None:
            alpha = alpha.astype(np.uint16) << 8 | (alpha if self.alpha_lower is None else self.alpha_lower)
        return Picture(self.colour.deepened(samples), mode, alpha, profile)


def to_tensor(pixels: np.ndarray) -> Tensor:
    """Pixels (H, W, 3) or (B, H, W, 3) uint8 RGB as a tensor (B, 3, H, W) float32 in [-1, 1]."""
    import torch

    batch = pixels[None] if pixels.ndim == 3 else pixels
    planes = torch.from_numpy(np.array(batch.transpose(0, 3, 1, 2), dtype=np.float32, order="C"))
    return planes.div_(127.5).sub_(1.0)


def to_pixels(tensor: Tensor) -> np.ndarray:
    """A tensor (B, 3, H, W) in [-1, 1], on any device, as pixels (B, H, W, 3) uint8 RGB; values outside are clipped."""
    import torch

    levels = tensor.detach().to("cpu", torch.float32).add(1.0).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).numpy())
