"""Published weights on their way in: by hand and over the network, and everything that can be wrong with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facestudio import checkpoints, fetching, importing, store
from facestudio.checkpoints import Checkpoint, checkpoint, load_into, verify
from facestudio.conversion import Order
from facestudio.errors import (
    CheckpointCorrupt,
    CheckpointMismatch,
    CheckpointMissing,
    DownloadFailed,
    UsageError,
)
from facestudio.faces.loading import load_network
from facestudio.progress import Cancelled, Progress, Update
from tests import published
from tests.published import BACKBONE, ESTIMATOR, Server


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program's folder of weights of this test."""
    folder = tmp_path / "weights"
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(folder))
    published.write_manifest(folder, published.tables())
    return folder


@pytest.fixture
def server(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serves the files of "tiny" and "pair"."""
    monkeypatch.setattr(fetching, "PAUSES", (0.01,))
    with published.serving() as server:
        published.write_manifest(weights, published.tables(server.address))
        yield server


def in_this_process(order: Order, progress: Progress, seconds: float) -> None:
    """What stands for the child process where a test is not about it."""
    from facestudio import conversion

    progress.check()
    conversion.convert(order)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert in this process: starting another one for each file takes seconds."""
    monkeypatch.setattr(importing, "run", in_this_process)
    monkeypatch.setattr("facestudio.conversion.limit_memory", lambda more: None)


def imported(id: str, *paths: Path, **settings: Any) -> Checkpoint:
    importing.import_files(checkpoint(id), paths, Progress(), **settings)
    return checkpoint(id)


def changed(held: Any, change: Any) -> Any:
    """The file of "tiny" with one of its tensors changed."""
    key = next(key for key, value in held["state_dict"].items() if value.dim() == 4)
    return {"state_dict": {**held["state_dict"], key: change(held["state_dict"][key])}}


def left_over(id: str) -> list[str]:
    return sorted(path.name for path in store.folder(id).iterdir()) if store.folder(id).exists() else []


def test_a_file_becomes_weights_in_a_child_process(weights: Path, tmp_path: Path) -> None:
    """The whole way: not here, imported, verified, loaded, and pinned to the file that it was."""
    entry = checkpoint("tiny")
    assert entry.published and not entry.here and verify(entry) == "missing" and entry.bytes == 200_000
    with pytest.raises(CheckpointMissing, match="not there") as caught:
        load_network(entry, "cpu")
    assert "facestudio weights get tiny" in caught.value.hint
    state = published.write_tiny(tmp_path / "tiny.ckpt")
    updates: list[Update] = []
    done = importing.import_files(entry, [tmp_path / "tiny.ckpt"], Progress(updates.append, every=0))
    assert done == ("weights",)
    assert [update.fraction for update in updates] == sorted(update.fraction for update in updates)
    entry = checkpoint("tiny")
    assert entry.here and verify(entry) == "present"
    target = published.network(ESTIMATOR, seed=1)
    load_into(target, entry)
    assert all(torch.equal(value, state[key]) for key, value in target.state_dict().items())
    assert left_over("tiny") == ["weights.json", "weights.safetensors"]
    pin = store.pin("tiny", "weights")
    assert pin is not None and pin.name == "tiny.ckpt"
    assert pin.source_sha256 == published.sha256(tmp_path / "tiny.ckpt")
    assert pin.sha256 == published.sha256(entry.files["weights"].path)
    assert entry.bytes == entry.files["weights"].path.stat().st_size


def test_a_malicious_file_runs_nothing_and_is_one_sentence(weights: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    torch.save({"state_dict": published.network(ESTIMATOR).state_dict(), "extra": Evil()}, tmp_path / "tiny.ckpt")
    with pytest.raises(CheckpointCorrupt) as caught:
        imported("tiny", tmp_path / "tiny.ckpt")
    words = f"tiny.ckpt tries to run code of its own ({os.name}.system), so it was not opened."
    assert (str(caught.value), bool(caught.value.hint)) == (words, True)
    assert not (tmp_path / "ran").exists()
    assert left_over("tiny") == []
    torch.load(tmp_path / "tiny.ckpt", weights_only=False)
    assert (tmp_path / "ran").exists(), "the file is harmless, so this test proves nothing"


def test_a_file_that_asks_for_too_much_memory_is_stopped(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two gigabytes of zeros, packed into nine megabytes, in the child process under its limit."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("this system does not limit the memory of a process")
    import zipfile

    plain, bomb = tmp_path / "plain.pth", tmp_path / "tiny.ckpt"
    torch.save({"w": torch.zeros(4)}, plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename.endswith("data.pkl"):
                # LONG1 numbers: 4 elements and (4,) become 2**29
                data = data.replace(b"K\x04t", b"J\x00\x00\x00\x20t").replace(b"K\x04\x85", b"J\x00\x00\x00\x20\x85")
            if entry.filename.endswith("data/0"):
                with new.open(entry.filename, "w", force_zip64=True) as file:
                    for _ in range(2048):
                        file.write(bytes(1 << 20))
            else:
                new.writestr(entry.filename, data)
    assert bomb.stat().st_size < 30_000_000
    started = time.monotonic()
    with pytest.raises(CheckpointCorrupt) as caught:
        imported("tiny", bomb)
    assert str(caught.value) == "Reading tiny.ckpt takes far more memory than these weights need, so it was stopped."
    assert time.monotonic() - started < 100
    assert left_over("tiny") == []


def test_the_child_process_is_killed_on_cancel_and_after_its_time(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.write_tiny(tmp_path / "tiny.ckpt")
    started: list[subprocess.Popen[bytes]] = []
    progress = Progress()

    class Watched(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **settings)
            started.append(self)
            progress.cancel()

    monkeypatch.setattr(importing.subprocess, "Popen", Watched)
    with pytest.raises(Cancelled):
        importing.import_files(checkpoint("tiny"), [tmp_path / "tiny.ckpt"], progress)
    assert started[0].poll() not in (None, 0)
    monkeypatch.setattr(importing, "SECONDS", 0.0)
    monkeypatch.setattr(importing, "SECONDS_A_GB", 0.0)
    with pytest.raises(CheckpointCorrupt, match="took longer"):
        imported("tiny", tmp_path / "tiny.ckpt")
    assert started[1].poll() not in (None, 0)
    assert left_over("tiny") == []


def test_a_child_that_dies_is_a_damaged_file(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published.write_tiny(tmp_path / "tiny.ckpt")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(CheckpointCorrupt, match=r"^tiny\.ckpt is damaged: the process that read it crashed"):
        imported("tiny", tmp_path / "tiny.ckpt")


@pytest.mark.usefixtures("quick")
class TestFiles:
    """Which files are taken, and what they must be."""

    def test_parts_are_known_by_their_files_names_also_in_folders(self, weights: Path, tmp_path: Path) -> None:
        published.write_pair(tmp_path / "there" / "deep")
        entry = imported("pair", tmp_path / "there")
        assert verify(entry) == "present"
        restorer = load_network(entry, "cpu", "restorer")
        assert type(restorer).__name__ == "IResNet"
        assert entry.network("restorer") == (BACKBONE["architecture"], BACKBONE["config"])

    def test_a_file_with_another_name_is_tried_for_what_is_left(self, weights: Path, tmp_path: Path) -> None:
        published.write_pair(tmp_path)
        (tmp_path / "second.pth").rename(tmp_path / "renamed.bin")
        assert importing.import_files(checkpoint("pair"), [tmp_path / "renamed.bin"], Progress()) == ("restorer",)
        assert verify(checkpoint("pair")) == "missing", "one part alone is not enough"
        with pytest.raises(CheckpointMismatch):
            imported("pair", tmp_path / "renamed.bin", part="weights")
        imported("pair", tmp_path / "first.pth")
        assert verify(checkpoint("pair")) == "present"
        with pytest.raises(UsageError, match="no part called prior"):
            imported("pair", tmp_path / "first.pth", part="prior")

    def test_arrays_become_one_part(self, weights: Path, tmp_path: Path) -> None:
        published.write_shapes(tmp_path / "DictionaryCenter")
        entry = imported("shapes", tmp_path / "DictionaryCenter")
        held = checkpoints.read(entry, "dictionary")
        assert {key: tuple(value.shape) for key, value in held.items()} == {
            "eye_32": (4, 2, 3, 3),
            "nose_32": (4, 2, 2, 2),
        }
        assert held["nose_32"].dtype == torch.float32
        assert np.array_equal(held["eye_32"].numpy().ravel(), np.arange(72))

    def test_a_set_of_arrays_that_is_not_whole_or_of_another_shape(self, weights: Path, tmp_path: Path) -> None:
        published.write_shapes(tmp_path)
        np.save(tmp_path / "nose_32_center.npy", np.zeros((4, 7), dtype=np.float32))
        with pytest.raises(CheckpointMismatch, match="it is 4 x 7 where any x 2 x 2 x 2 is expected"):
            imported("shapes", tmp_path / "eye_32_center.npy", tmp_path / "nose_32_center.npy")
        with pytest.raises(CheckpointMissing, match=r"Of Shapes nose_32_center\.npy is not among these files"):
            imported("shapes", tmp_path / "eye_32_center.npy")
        assert left_over("shapes") == []

    def test_nothing_fitting_says_what_to_get(self, weights: Path, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(CheckpointMissing, match=r"^There is no file of Tiny in empty\.$") as caught:
            imported("tiny", tmp_path / "empty")
        assert caught.value.hint == "Download tiny.ckpt from https://example.org/weights and import it."
        with pytest.raises(CheckpointMissing, match=r"^There is no file gone\.ckpt\.$"):
            imported("tiny", tmp_path / "gone.ckpt")

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda held: {"state_dict": {"a": torch.ones(3)}}, "contains no weights of Tiny."),
            (lambda held: {"state_dict": 3}, "contains no weights of Tiny."),
            (lambda held: [held], "contains no weights of Tiny."),
            (lambda held: {"state_dict": dict(list(held["state_dict"].items())[1:])}, "does not fit Tiny: it lacks"),
            (
                lambda held: {"state_dict": {**held["state_dict"], "vqvae.x": torch.ones(1)}},
                "it has x, which is unknown.",
            ),
            (lambda held: changed(held, lambda t: t[None]), "is 1 x"),
            (lambda held: changed(held, lambda t: t.to(torch.int64)), "torch.int64 where"),
            (lambda held: changed(held, lambda t: t * float("nan")), "contains values that are not numbers."),
            (lambda held: changed(held, lambda t: t.to_sparse()), "in a form that cannot be used"),
        ],
    )
    def test_another_network_is_one_sentence(self, weights: Path, tmp_path: Path, change: Any, words: str) -> None:
        path = tmp_path / "tiny.ckpt"
        published.write_tiny(path)
        torch.save(change(torch.load(path, weights_only=True)), path)
        with pytest.raises((CheckpointMismatch, CheckpointCorrupt)) as caught:
            imported("tiny", path)
        assert words in str(caught.value)
        assert caught.value.hint
        assert left_over("tiny") == []

    def test_what_the_network_has_no_use_for_is_ignored_when_the_entry_says_so(
        self, weights: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "tiny.ckpt"
        published.write_tiny(path)
        held = torch.load(path, weights_only=True)
        held["state_dict"]["vqvae.quantize.embed_prob"] = torch.ones(1)
        torch.save(held, path)
        tables = published.tables()
        tables["tiny"]["files"]["weights"]["ignored"] = ["quantize."]
        published.write_manifest(weights, tables)
        assert verify(imported("tiny", path)) == "present"

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda state: state,
            lambda state: {"params_ema": state, "params": {key: value * 0 for key, value in state.items()}},
            lambda state: {"epoch": 3, "model": {f"module.{key}": value for key, value in state.items()}},
        ],
    )
    def test_usual_wrappers_need_not_be_named(self, weights: Path, tmp_path: Path, wrap: Any) -> None:
        state = published.network(ESTIMATOR).state_dict()
        torch.save(wrap(state), tmp_path / "tiny.ckpt")
        held = checkpoints.read(imported("tiny", tmp_path / "tiny.ckpt"))
        assert all(torch.equal(held[key], value) for key, value in state.items())

    def test_a_known_hash_is_checked(self, weights: Path, tmp_path: Path) -> None:
        path = tmp_path / "tiny.ckpt"
        published.write_tiny(path)
        tables = published.tables()
        tables["tiny"]["files"]["weights"] |= {"sha256": "0" * 64, "bytes": path.stat().st_size}
        published.write_manifest(weights, tables)
        with pytest.raises(CheckpointCorrupt, match="is not the published file") as caught:
            imported("tiny", path)
        assert "--any-hash" in caught.value.hint
        assert verify(imported("tiny", path, any_hash=True)) == "present"
        tables["tiny"]["files"]["weights"]["sha256"] = published.sha256(path).upper()
        published.write_manifest(weights, tables)
        assert verify(imported("tiny", path)) == "present"
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(CheckpointCorrupt, match="is incomplete: it has"):
            imported("tiny", path)

    def test_the_first_import_is_pinned(self, weights: Path, tmp_path: Path) -> None:
        published.write_tiny(tmp_path / "tiny.ckpt")
        entry = imported("tiny", tmp_path / "tiny.ckpt")
        entry.files["weights"].path.write_bytes(b"damaged")
        assert verify(checkpoint("tiny")) == "corrupt"
        assert verify(imported("tiny", tmp_path / "tiny.ckpt")) == "present", "the same file mends it"
        published.write_tiny(tmp_path / "other" / "tiny.ckpt", seed=2)
        with pytest.raises(CheckpointCorrupt, match=r"is not the file that was imported on 20\d\d-") as caught:
            imported("tiny", tmp_path / "other" / "tiny.ckpt")
        assert "remove the weights and import them again" in caught.value.hint
        freed = importing.remove(checkpoint("tiny"))
        assert freed > 10_000 and not store.folder("tiny").exists()
        assert verify(imported("tiny", tmp_path / "other" / "tiny.ckpt")) == "present"

    def test_without_its_pin_a_file_is_not_trusted(self, weights: Path, tmp_path: Path) -> None:
        published.write_tiny(tmp_path / "tiny.ckpt")
        imported("tiny", tmp_path / "tiny.ckpt")
        pin = store.folder("tiny") / "weights.json"
        for damage in (b"", b"{", b'{"sha256": 3}', b"[]", b"\xff"):
            pin.write_bytes(damage)
            assert verify(checkpoint("tiny")) == "corrupt"
            with pytest.raises(CheckpointCorrupt):
                load_network(checkpoint("tiny"), "cpu")

    def test_only_one_face_studio_at_a_time(self, weights: Path, tmp_path: Path) -> None:
        published.write_tiny(tmp_path / "tiny.ckpt")
        with store.locked("tiny"), pytest.raises(UsageError, match="Another Face Studio is working"):
            imported("tiny", tmp_path / "tiny.ckpt")
        assert verify(imported("tiny", tmp_path / "tiny.ckpt")) == "present"

    def test_a_folder_that_cannot_be_written_is_one_sentence(self, weights: Path, tmp_path: Path) -> None:
        published.write_tiny(tmp_path / "tiny.ckpt")
        home = store.folder("tiny").parent
        home.parent.mkdir(parents=True, exist_ok=True)
        home.write_bytes(b"a file where the folder belongs")
        with pytest.raises(importing.FaceStudioError, match="cannot be written") as caught:
            imported("tiny", tmp_path / "tiny.ckpt")
        assert caught.value.hint


@pytest.mark.usefixtures("quick")
class TestDownloads:
    """What goes over the network, and when."""

    def test_the_licence_comes_first(self, server: Server, tmp_path: Path) -> None:
        published.write_tiny(tmp_path / "tiny.ckpt")
        server.files["tiny.ckpt"] = (tmp_path / "tiny.ckpt").read_bytes()
        with pytest.raises(UsageError, match="licence of Tiny was not accepted") as caught:
            importing.get(checkpoint("tiny"), Progress())
        assert published.LICENCE in caught.value.hint
        assert server.asked == []
        store.accept("tiny", published.LICENCE)
        updates: list[Update] = []
        importing.get(checkpoint("tiny"), Progress(updates.append, every=0))
        assert verify(checkpoint("tiny")) == "present"
        assert left_over("tiny") == ["downloads", "weights.json", "weights.safetensors"]
        assert not list((store.folder("tiny") / "downloads").iterdir()), "the file as it was published is not kept"
        fractions = [update.fraction for update in updates]
        assert fractions == sorted(fractions) and fractions[-1] == 1
        importing.get(checkpoint("tiny"), Progress())
        assert len(server.asked) == 1, "what is here is not fetched again"

    def test_only_what_is_missing_is_fetched(self, server: Server, tmp_path: Path) -> None:
        published.write_pair(tmp_path)
        for name in ("first.pth", "second.pth"):
            server.files[name] = (tmp_path / name).read_bytes()
        imported("pair", tmp_path / "first.pth")
        importing.get(checkpoint("pair"), Progress())
        assert verify(checkpoint("pair")) == "present"
        assert len(server.asked) == 1

    def test_a_wrong_file_is_not_kept_and_a_broken_one_goes_on(self, server: Server, tmp_path: Path) -> None:
        store.accept("tiny", published.LICENCE)
        server.files["tiny.ckpt"] = b"nonsense" * 20_000
        with pytest.raises(CheckpointCorrupt):
            importing.get(checkpoint("tiny"), Progress())
        assert not list((store.folder("tiny") / "downloads").iterdir())
        published.write_tiny(tmp_path / "tiny.ckpt")
        server.files["tiny.ckpt"] = (tmp_path / "tiny.ckpt").read_bytes()
        server.breaks = [60_000, 0]
        with pytest.raises(DownloadFailed):
            importing.get(checkpoint("tiny"), Progress())
        importing.get(checkpoint("tiny"), Progress())
        assert server.asked[-1] == "bytes=60000-"
        assert verify(checkpoint("tiny")) == "present"

    def test_what_is_on_no_server_says_how_to_get_it(self, server: Server) -> None:
        with pytest.raises(UsageError, match="on no server") as caught:
            importing.get(checkpoint("shapes"), Progress())
        assert caught.value.hint == (
            "Download eye_32_center.npy, nose_32_center.npy from https://example.org/weights and import them."
        )


def test_starter_weights_are_neither_fetched_nor_imported_nor_removed(tmp_path: Path) -> None:
    entry = checkpoint("starter-detector")
    before = verify(entry)
    for work in (
        lambda: importing.get(entry, Progress()),
        lambda: importing.import_files(entry, [tmp_path], Progress()),
        lambda: importing.remove(entry),
    ):
        with pytest.raises(UsageError, match="comes with Face Studio"):
            work()
    assert verify(entry) == before


def test_licences_are_remembered_by_their_words(own_folders: Path) -> None:
    assert not store.accepted("tiny", "free")
    store.accept("tiny", "free")
    store.accept("pair", "dear")
    assert store.accepted("tiny", "free") and store.accepted("pair", "dear")
    assert not store.accepted("tiny", "not free any more")
    told = (own_folders / "settings" / store.LICENCES).read_text()
    assert time.strftime("%Y-") in told
    (own_folders / "settings" / store.LICENCES).write_text("{")
    assert not store.accepted("tiny", "free")


def test_removing_stays_inside_the_folder(weights: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "photo.jpg").write_bytes(b"x")
    store.folder("tiny").parent.mkdir(parents=True)
    store.folder("tiny").symlink_to(precious)
    store.remove("tiny")
    assert (precious / "photo.jpg").exists() and not store.folder("tiny").exists()
    assert store.remove("tiny") == 0


@pytest.mark.parametrize("name", ["../tiny", "a/b", ".hidden", "a b"])
def test_a_name_that_leaves_the_folder_is_refused(weights: Path, name: str) -> None:
    tables = published.tables()
    files = tables["tiny"]["files"]
    for changed in ({name: files["weights"]}, {"weights": {**files["weights"], "name": "../tiny.ckpt"}}):
        tables["tiny"]["files"] = changed
        published.write_manifest(weights, tables)
        with pytest.raises(CheckpointCorrupt, match="is no name (for a folder and a|of a) file"):
            checkpoints.load_manifest()
    tables["tiny"]["files"] = files
    published.write_manifest(weights, {"x": tables["tiny"]})
    text = (weights / "manifest.toml").read_text()
    (weights / "manifest.toml").write_text(text.replace("checkpoints.x", f"checkpoints.'{name}'"))
    with pytest.raises(CheckpointCorrupt, match="is no name for a folder and a file"):
        checkpoints.load_manifest()


def test_the_child_works_from_any_folder_and_imports_no_window(weights: Path, tmp_path: Path) -> None:
    """Without the checkout on its path but by the parent's word, and in a folder whose modules must not be taken."""
    (tmp_path / "torch.py").write_text("raise SystemExit('the wrong torch')")
    published.write_tiny(tmp_path / "tiny.ckpt")
    code = (
        "import sys; from pathlib import Path; from facestudio import importing as i, checkpoints as c, progress as p; "
        "i.import_files(c.checkpoint('tiny'), [Path('tiny.ckpt')], p.Progress()); "
        "assert 'torch' not in sys.modules; assert c.verify(c.checkpoint('tiny')) == 'present'"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, cwd=tmp_path, timeout=120)
    shutil.rmtree(store.folder("tiny"))
