"""Photo: what is read is upright sRGB, what is saved is whole and of the original's kind; pixels and tensors agree."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import torch
from PIL import Image

from facestudio.errors import DiskFull, PhotoError, UnreadablePhoto, UnwritableOutput
from facestudio.photo import SUFFIXES, Photo, supported_suffix, to_pixels, to_tensor
from tests.end2end.hostile_corpus import drawing, encoded, stored_as
from tests.unit.test_colour import wide_profile


def written(path: Path, format: str = "PNG", image: Image.Image | None = None, **settings: Any) -> Path:
    path.write_bytes(encoded(format, image, **settings))
    return path


def files(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


# ---- reading


def test_open_gives_read_only_pixels_and_remembers_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.png")
    photo = Photo.open(path)
    assert np.array_equal(photo.pixels, drawing())
    assert (photo.path, photo.format, photo.size, photo.bits, photo.alpha) == (path, "PNG", (48, 32), 8, None)
    with pytest.raises(ValueError, match="read-only"):
        photo.pixels[0] = 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright_and_is_saved_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = written(tmp_path / "a.png", image=Image.fromarray(stored_as(drawing(), orientation)), exif=exif)
    photo = Photo.open(path)
    assert np.array_equal(photo.pixels, drawing())
    with Image.open(photo.save(tmp_path / "b.png")) as saved:
        assert saved.getexif().get(0x0112, 1) == 1
        assert np.array_equal(np.asarray(saved), drawing())


def test_from_bytes_and_from_pixels_make_photos_without_a_file(tmp_path: Path) -> None:
    photo = Photo.from_bytes(encoded("PNG"), "Pasted picture")
    assert photo.path is None and np.array_equal(photo.pixels, drawing())
    pixels = drawing()
    alpha = np.full(pixels.shape[:2], 9, np.uint8)
    photo = Photo.from_pixels(pixels, alpha)
    pixels[:] = 0
    assert np.array_equal(photo.pixels, drawing()), "the array was not copied"
    assert np.array_equal(Photo.open(photo.save(tmp_path / "a.png")).alpha, alpha)
    with pytest.raises(UnreadablePhoto, match=r"^Pasted picture is a text file, not a photo\.$"):
        Photo.from_bytes(b"hello", "Pasted picture")


def test_the_limit_of_megapixels_holds_before_decoding(tmp_path: Path) -> None:
    path = written(tmp_path / "a.png", image=Image.new("L", (2000, 1000)))
    assert Photo.open(path, max_megapixels=2.0).size == (2000, 1000)
    path.write_bytes(path.read_bytes()[:60])  # decoding would fail with another sentence
    with pytest.raises(PhotoError, match="megapixels") as caught:
        Photo.open(path, max_megapixels=1.9)
    assert "limit" in caught.value.hint


def test_sixteen_bits_are_scaled_and_said(tmp_path: Path) -> None:
    levels = np.arange(48 * 32, dtype=np.uint16).reshape(32, 48) * 42
    photo = Photo.open(written(tmp_path / "a.png", image=Image.fromarray(levels)))
    assert photo.bits == 16 and "16 bits" in photo.notes[0]
    assert np.abs(photo.pixels[..., 0] - levels / 257.0).max() <= 1


# ---- the value


def test_with_pixels_keeps_all_but_the_pixels(tmp_path: Path) -> None:
    photo = Photo.open(written(tmp_path / "a.jpg", "JPEG"))
    other = photo.with_pixels(255 - photo.pixels)
    assert (other.path, other.format, other.metadata) == (photo.path, photo.format, photo.metadata)
    assert not other.pixels.flags.writeable
    with pytest.raises(ValueError, match="cannot get pixels"):
        photo.with_pixels(photo.pixels[:-1])


def test_the_content_hash_is_of_pixels_and_shape_only(tmp_path: Path) -> None:
    a = Photo.open(written(tmp_path / "a.png"))
    b = Photo.open(written(tmp_path / "b.bmp", "BMP"))
    assert a.content_hash == b.content_hash and len(a.content_hash) == 64
    assert a.content_hash != a.with_pixels(255 - a.pixels).content_hash
    flat = np.zeros((2, 8, 3), np.uint8)
    assert Photo.from_pixels(flat).content_hash != Photo.from_pixels(flat.reshape(8, 2, 3)).content_hash


@pytest.mark.parametrize("pixels", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))])
def test_other_arrays_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="pixels are"):
        Photo(pixels)


# ---- saving


@pytest.mark.parametrize(("suffix", "format"), sorted(SUFFIXES.items()))
def test_the_suffix_decides_the_format(tmp_path: Path, suffix: str, format: str) -> None:
    saved = Photo.from_pixels(drawing()).save(tmp_path / f"a{suffix.upper()}")
    assert Photo.open(saved).format == format
    assert supported_suffix(saved) and not supported_suffix(tmp_path / "a.txt")


def test_the_format_comes_from_the_argument_then_the_suffix_then_the_original(tmp_path: Path) -> None:
    photo = Photo.open(written(tmp_path / "a.webp", "WEBP", lossless=True))
    assert Photo.open(photo.save(tmp_path / "b.png", format="JPEG")).format == "JPEG"
    assert Photo.open(photo.save(tmp_path / "c.png")).format == "PNG"
    assert Photo.open(photo.save(tmp_path / "d")).format == "WEBP"
    assert Photo.open(photo.save(tmp_path / "e", format="heic")).format == "HEIF"
    with pytest.raises(UnwritableOutput, match="no format psd"):
        photo.save(tmp_path / "f.psd", format="psd")


def test_a_mistyped_ending_is_refused_unless_it_is_the_photos_own(tmp_path: Path) -> None:
    photo = Photo.open(written(tmp_path / "a.png"))
    with pytest.raises(UnwritableOutput, match=r"out.jgp ends in .jgp, which is not a format that can be written\."):
        photo.save(tmp_path / "out.jgp")
    (tmp_path / "a.png").rename(tmp_path / "a.scan")
    for name in ("b.scan", "scan.2024", "plain"):
        assert Photo.open(Photo.open(tmp_path / "a.scan").save(tmp_path / name)).format == "PNG"
    assert Photo.open(photo.save(tmp_path / "out.jgp", format="png")).format == "PNG"
    assert len(list(tmp_path.iterdir())) == 5


def test_lossless_stays_lossless_and_jpeg_is_fine(tmp_path: Path) -> None:
    lossless = Photo.open(written(tmp_path / "a.webp", "WEBP", lossless=True))
    assert np.array_equal(Photo.open(lossless.save(tmp_path / "b.webp")).pixels, drawing())
    lossy = Photo.open(written(tmp_path / "c.webp", "WEBP", quality=80))
    assert not lossy.lossless and not Photo.open(lossy.save(tmp_path / "d.webp")).lossless
    with Image.open(lossless.save(tmp_path / "e.jpg")) as saved:
        assert saved.layer[0][1:3] == saved.layer[1][1:3] == (1, 1), "chroma is subsampled"
        assert max(saved.quantization[0]) <= 12


def test_alpha_comes_back_where_the_format_has_it_and_is_laid_over_white_where_not(tmp_path: Path) -> None:
    pixels, alpha = drawing(), np.tile(np.arange(48, dtype=np.uint8) * 5, (32, 1))
    photo = Photo.from_pixels(pixels, alpha)
    for suffix in ("png", "webp", "tif"):
        again = Photo.open(photo.save(tmp_path / f"a.{suffix}"))
        assert np.array_equal(again.alpha, alpha) and np.array_equal(again.pixels, pixels), suffix
    flat = Photo.open(photo.save(tmp_path / "a.bmp"))
    assert flat.alpha is None and tuple(flat.pixels[0, 0]) == (255, 255, 255)
    assert np.abs(flat.pixels[31, 47] - (pixels[31, 47] * (235 / 255) + 20)).max() <= 1
    assert "transparency" in photo.losses("JPEG")[0] and photo.losses("PNG") == ()


def test_grey_stays_grey_and_colour_is_never_lost(tmp_path: Path) -> None:
    grey = Image.fromarray(drawing()).convert("L")
    photo = Photo.open(written(tmp_path / "a.png", image=grey))
    darker = photo.with_pixels(photo.pixels // 2)
    with Image.open(darker.save(tmp_path / "b.png")) as saved:
        assert saved.mode == "L" and np.array_equal(np.asarray(saved), np.asarray(grey) // 2)
    with Image.open(photo.with_pixels(drawing()).save(tmp_path / "c.png")) as saved:
        assert saved.mode == "RGB" and np.array_equal(np.asarray(saved), drawing())


def test_cmyk_outside_of_the_change_comes_back_unchanged(tmp_path: Path) -> None:
    inks = np.random.default_rng(0).integers(0, 256, (32, 48, 4), dtype=np.uint8)
    image = Image.frombytes("CMYK", (48, 32), inks.tobytes())
    photo = Photo.open(written(tmp_path / "a.tif", "TIFF", image))
    changed = photo.pixels.copy()
    changed[:, :20] = (200, 40, 30)
    result = photo.with_pixels(changed)
    saved = result.save(tmp_path / "b.tif")
    with Image.open(saved) as again:
        assert again.mode == "CMYK" and np.array_equal(np.asarray(again)[:, 20:], inks[:, 20:])
    assert np.abs(Photo.open(saved).pixels[:, :20].astype(int) - (200, 40, 30)).max() <= 1
    with Image.open(result.save(tmp_path / "b.png")) as again:
        assert again.mode == "RGB" and np.array_equal(np.asarray(again), changed)


# ---- saving is safe


def test_the_original_is_never_replaced_by_whatever_name(tmp_path: Path) -> None:
    path = written(tmp_path / "a.png")
    content = path.read_bytes()
    os.link(path, tmp_path / "hard.png")
    (tmp_path / "soft.png").symlink_to("a.png")
    (tmp_path / "sub").mkdir()
    photo = Photo.open(path)
    for name in ("a.png", "hard.png", "soft.png", "sub/../a.png"):
        with pytest.raises(UnwritableOutput, match="never overwritten"):
            photo.save(tmp_path / name, overwrite=True)
    path.unlink()
    with pytest.raises(UnwritableOutput, match="never overwritten"):
        photo.save(path)
    assert (tmp_path / "hard.png").read_bytes() == content


def test_an_existing_output_needs_leave_and_is_then_replaced(tmp_path: Path) -> None:
    photo = Photo.from_pixels(drawing())
    target = tmp_path / "b.png"
    target.write_bytes(b"precious")
    with pytest.raises(UnwritableOutput, match="exists already"):
        photo.save(target)
    assert target.read_bytes() == b"precious" and files(tmp_path) == ["b.png"]
    assert photo.save(target, overwrite=True) == target
    assert np.array_equal(Photo.open(target).pixels, drawing()) and files(tmp_path) == ["b.png"]


def test_an_output_that_appears_meanwhile_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "b.png"
    real = os.fsync

    def appear(descriptor: int) -> None:
        target.write_bytes(b"precious")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", appear)
    with pytest.raises(UnwritableOutput, match="exists already"):
        Photo.from_pixels(drawing()).save(target)
    assert target.read_bytes() == b"precious" and files(tmp_path) == ["b.png"]


def test_without_hard_links_nothing_is_lost_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    photo, target = Photo.from_pixels(drawing()), tmp_path / "b.png"
    photo.save(target)
    assert np.array_equal(Photo.open(target).pixels, drawing()) and files(tmp_path) == ["b.png"]
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: ((tmp_path / "c.png").write_bytes(b"precious"), real(descriptor))
    )
    with pytest.raises(UnwritableOutput, match="exists already"):
        photo.save(tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes() == b"precious"


@pytest.mark.parametrize("where", ["fsync", "replace", "link"])
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, overwrite: bool
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == ("link" if overwrite else "replace"):
        pytest.skip("not on this way")
    (tmp_path / "old.png").write_bytes(b"precious")
    monkeypatch.setattr(os, where, full)
    with pytest.raises(DiskFull, match="disk is full"):
        Photo.from_pixels(drawing()).save(tmp_path / ("old.png" if overwrite else "new.png"), overwrite=overwrite)
    assert files(tmp_path) == ["old.png"] and (tmp_path / "old.png").read_bytes() == b"precious"


def test_a_result_is_checked_before_it_has_its_name(tmp_path: Path) -> None:
    """What is checked is all of the file; until then nothing of it is seen in the folder, however the program ends."""
    seen: list[bytes] = []

    def look(file: IO[bytes]) -> None:
        seen.append(file.read())
        assert files(tmp_path) == [] or not hasattr(os, "O_TMPFILE")

    def refuse(file: IO[bytes]) -> None:
        raise UnwritableOutput("It is not right.")

    target = Photo.from_pixels(drawing()).save(tmp_path / "a.png", check=look)
    assert seen == [target.read_bytes()]
    for overwrite in (False, True):
        with pytest.raises(UnwritableOutput, match="not right"):
            Photo.from_pixels(drawing()).save(tmp_path / "b.png", overwrite=overwrite, check=refuse)
    assert files(tmp_path) == ["a.png"]


def test_a_file_system_without_nameless_files_does_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    during: list[list[str]] = []

    def look(file: IO[bytes]) -> None:
        during.append(files(tmp_path))

    for overwrite in (False, True):
        target = Photo.from_pixels(drawing()).save(tmp_path / "a.png", overwrite=overwrite, check=look, token="abc")
        assert np.array_equal(Photo.open(target).pixels, drawing()) and files(tmp_path) == ["a.png"]
    assert [set(found) - {"a.png"} for found in during] == [{".facestudio-abc.part"}] * 2


def test_being_stopped_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        Photo.from_pixels(drawing()).save(tmp_path / "a.png")
    assert files(tmp_path) == []


def test_bad_targets_give_one_sentence(tmp_path: Path) -> None:
    photo = Photo.from_pixels(drawing())
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.png")
    for name, words in (
        ("folder.png", "is a folder"),
        ("nowhere/a.png", "no folder nowhere"),
        ("file/a.png", "no folder file"),
        ("pipe.png", "a pipe"),
        ("x" * 300 + ".png", "too long"),
    ):
        with pytest.raises(UnwritableOutput, match=words) as caught:
            photo.save(tmp_path / name, overwrite=True)
        assert caught.value.hint
    assert files(tmp_path) == ["file", "folder.png", "pipe.png"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_locked_folder_gives_one_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    try:
        with pytest.raises(UnwritableOutput, match="does not allow it"):
            Photo.from_pixels(drawing()).save(folder / "a.png")
    finally:
        folder.chmod(0o700)


def test_a_forbidden_write_gives_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(UnwritableOutput, match="does not allow it"):
        Photo.from_pixels(drawing()).save(tmp_path / "a.png", overwrite=True)
    assert files(tmp_path) == []


def test_a_side_too_long_for_the_format_gives_one_sentence(tmp_path: Path) -> None:
    photo = Photo.from_pixels(np.zeros((1, 16400, 3), np.uint8))
    with pytest.raises(UnwritableOutput, match="too long for WEBP"):
        photo.save(tmp_path / "a.webp")
    assert files(tmp_path) == []


def test_a_result_has_the_rights_of_an_ordinary_file(tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    saved = Photo.from_pixels(drawing()).save(tmp_path / "a.png")
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE((tmp_path / "ordinary").stat().st_mode)


# ---- tensors


def test_pixels_and_tensors_are_each_other_s_inverse() -> None:
    pixels = np.arange(256 * 3, dtype=np.uint32).reshape(1, 256, 3).astype(np.uint8)
    tensor = to_tensor(pixels)
    assert tensor.shape == (1, 3, 1, 256) and tensor.dtype == torch.float32
    assert tensor.min() == -1 and tensor.max() == 1
    assert np.array_equal(to_pixels(tensor)[0], pixels)
    batch = np.stack([pixels, 255 - pixels])
    assert np.array_equal(to_pixels(to_tensor(batch)), batch)
    assert to_tensor(batch)[1, 2, 0, 5] == pytest.approx((255 - int(pixels[0, 5, 2])) / 127.5 - 1)


def test_tensors_out_of_range_are_clipped_and_rounded() -> None:
    tensor = torch.tensor([-9.0, 9.0, 0.0]).view(1, 3, 1, 1).requires_grad_()
    assert to_pixels(tensor).ravel().tolist() == [0, 255, 128]
    assert to_pixels(tensor.to(torch.bfloat16)).dtype == np.uint8


def test_photos_need_no_torch() -> None:
    code = "import sys, facestudio.photo; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_decoding_is_safe_from_many_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    data = encoded("PNG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f")  # Pillow warns about this EXIF
    with ThreadPoolExecutor(4) as pool:
        photos = list(pool.map(lambda _: Photo.from_bytes(data), range(40)))
    assert all(np.array_equal(photo.pixels, drawing()) for photo in photos)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is counted differently elsewhere")
def test_twelve_megapixels_with_a_profile_need_little_memory(tmp_path: Path) -> None:
    y, x = np.mgrid[0:3000, 0:4000].astype(np.uint16)
    image = Image.fromarray(np.dstack([x // 16, y // 12, (x + y) // 28]).astype(np.uint8))
    image.save(tmp_path / "a.jpg", quality=90, icc_profile=wide_profile())
    code = """if True:
        import re, sys
        from facestudio.photo import Photo
        photo = Photo.open(sys.argv[1])
        pixels = photo.pixels.copy()
        pixels[500:1500, 500:1500] //= 2
        photo.with_pixels(pixels).save(sys.argv[2])
        # not getrusage: its figure begins with that of the process that started this one
        print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
    """
    command = [sys.executable, "-c", code, str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")]
    peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) // 1024
    assert peak < 450, f"{peak} MB"
