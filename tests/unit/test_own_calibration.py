"""What the user's own people say of a recogniser: kept with the weights it was measured with, and believed of no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from facestudio import importing, store
from facestudio.anonymize_settings import Settings
from facestudio.checkpoints import checkpoint
from facestudio.cli.main import run
from facestudio.ensemble import Ensemble
from facestudio.errors import CheckpointMissing, UsageError
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.store import OwnCalibration
from facestudio.studio import Studio
from tests import published
from tests.fakes import FakeDetector, face_at, picture, write_picture
from tests.unit.test_importing import in_this_process

TABLE = {
    "thresholds": {"1e-01": 0.2, "1e-02": 0.4},
    "thresholds_low": {"1e-01": 0.1},
    "thresholds_high": {"1e-01": 0.3},
    **{"same_mean": 0.7, "same_std": 0.1, "different_mean": 0.0, "different_std": 0.1},
    **{"same_shares": [0.0, 1.0], "different_shares": [1.0, 0.0], "shares_from": -0.5, "shares_to": 1.0},
}


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Imports the recogniser "tiny" and returns its hash; "other" is one that is no recogniser."""
    monkeypatch.setattr(importing, "run", in_this_process)
    monkeypatch.setattr("facestudio.conversion.limit_memory", lambda more: None)
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(tmp_path / "weights"))
    tables = published.tables()
    published.write_manifest(
        tmp_path / "weights", {"tiny": {**tables["tiny"], **published.BACKBONE}, "other": tables["tiny"]}
    )

    def bring(seed: int = 0) -> str:
        torch.save(published.network(published.BACKBONE, seed).state_dict(), tmp_path / "tiny.ckpt")
        importing.import_files(checkpoint("tiny"), [tmp_path / "tiny.ckpt"], Progress(), any_hash=True)
        return checkpoint("tiny").hashes

    return bring


def measured(weights: str, **changes: Any) -> OwnCalibration:
    return replace(OwnCalibration(weights, "2026-01-01", 20, 60, 60, 1710, TABLE), **changes)


def test_it_is_the_calibration_of_the_weights_it_was_measured_with(imported: Callable[..., str]) -> None:
    sha256 = imported()
    entry = checkpoint("tiny")
    assert entry.embeds and not entry.recognises and entry.own is None and not Studio("cpu").own_judges()
    store.keep_calibration("tiny", measured(sha256))
    entry = checkpoint("tiny")
    assert entry.recognises and entry.own == measured(sha256) and entry.calibration == TABLE
    assert [name.split()[0] for name in Studio("cpu").own_judges()] == ["tiny"]
    other = imported(seed=1)
    assert other != sha256
    entry = checkpoint("tiny")
    assert entry.own is not None and not entry.recognises and entry.calibration == {}
    assert imported() == sha256 and checkpoint("tiny").recognises, "the old weights are back"
    assert store.forget_calibration("tiny") and not store.forget_calibration("tiny")
    assert not checkpoint("tiny").recognises


def test_whatever_happens_to_what_is_stored_is_seen_at_once(
    imported: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checkpoint("tiny").hashes == ""
    sha256 = imported()
    pin, kept = store.folder("tiny") / "weights.json", store.folder("tiny") / store.CALIBRATION
    assert checkpoint("tiny").hashes == sha256
    pin.write_text(pin.read_text().replace(sha256, "1" * 64))
    assert checkpoint("tiny").hashes == "1" * 64, "by hand, and as long as before"
    pin.write_text(pin.read_text().replace("1" * 64, sha256))
    store.keep_calibration("tiny", measured(sha256))
    assert checkpoint("tiny").recognises
    kept.write_text(kept.read_text().replace("0.2", "0.3"))
    assert checkpoint("tiny").calibration["thresholds"]["1e-01"] == 0.3
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("FACESTUDIO_HOME", str(tmp_path / "elsewhere"))
        assert checkpoint("tiny").hashes == "" and not checkpoint("tiny").recognises
    kept.rename(tmp_path / "kept")
    assert not checkpoint("tiny").recognises
    pin.unlink()
    assert checkpoint("tiny").hashes == ""


def test_it_goes_with_the_weights(imported: Callable[..., str]) -> None:
    store.keep_calibration("tiny", measured(imported()))
    importing.remove(checkpoint("tiny"))
    assert store.own_calibration("tiny") is None and checkpoint("tiny").own is None


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        json.dumps({"weights": "x"}),
        json.dumps({**vars(measured("x")), "table": {}}),
        json.dumps({**vars(measured("x")), "table": {"thresholds": {"1e-01": float("nan")}}}),
        json.dumps({**vars(measured("x")), "table": {"thresholds": {"often": 0.2}}}),
        json.dumps({**vars(measured("x")), "table": {"thresholds": {"1e-01": 7.0}}}),
        json.dumps({**vars(measured("x")), "people": float("inf")}),
        "[" * 100_000,
        *(
            json.dumps({**vars(measured("x")), "table": {**TABLE, **change}})
            for change in (
                {"same_std": 0.0},
                {"different_std": float("nan")},
                {"same_mean": "high"},
                {"thresholds_low": {"1e-01": "x"}},
                {"thresholds_high": 3.0},
                {"same_shares": "x"},
                {"different_shares": [0.5, None]},
                {"shares_from": "left"},
            )
        ),
    ],
)
def test_what_is_damaged_is_nothing(imported: Callable[..., str], text: str) -> None:
    sha256 = imported()
    (store.folder("tiny") / store.CALIBRATION).write_text(text.replace('"x"', f'"{sha256}"', 1))
    assert store.own_calibration("tiny") is None
    assert not checkpoint("tiny").recognises


def test_only_recognisers_have_one(imported: Callable[..., str]) -> None:
    store.keep_calibration("other", measured(""))
    entry = checkpoint("other")
    assert not entry.embeds and entry.own is None and not entry.recognises


def test_the_doctor_says_who_judges(imported: Callable[..., str]) -> None:
    def said() -> tuple[bool, str, str]:
        (finding,) = [one for one in Studio("cpu").doctor() if one.name == "Weights tiny"]
        return finding.ok, finding.detail, finding.hint

    sha256 = imported()
    ok, detail, hint = said()
    assert ok and detail == "present, not calibrated, so it judges nothing"
    assert hint.startswith("Calibrate it with `facestudio weights calibrate tiny FOLDER`")
    store.keep_calibration("tiny", measured(sha256))
    assert said() == (True, "present, calibrated on people you know", "")
    store.keep_calibration("tiny", measured("of others"))
    ok, detail, hint = said()
    assert not ok and "with other weights of it" in detail and hint.startswith("Calibrate it again with")


def test_a_run_s_settings_name_who_judged_beside_ours(imported: Callable[..., str]) -> None:
    plain = Settings(Recipe("solid", "solid"))
    assert "judges" not in json.loads(plain.to_text()), "as runs were begun before there were such judges"
    sha256 = imported()
    store.keep_calibration("tiny", measured(sha256))
    first = replace(plain, judges=Studio("cpu").own_judges())
    assert Settings.from_text(first.to_text()) == first != plain
    store.keep_calibration("tiny", measured(sha256, table={"thresholds": {"1e-01": 0.3}}))
    assert Studio("cpu").own_judges() != first.judges, "calibrated anew it may say something else"
    assert replace(plain, judges=Studio("cpu", judges="starter").own_judges()) == plain


def test_who_judges_has_the_weights_and_the_calibration_that_are_there_now(imported: Callable[..., str]) -> None:
    """Another process, such as the command line beside a window, may have changed them."""
    studio = Studio("cpu")

    def judge() -> Any:
        (found,) = studio._embedders()
        return found

    sha256 = imported()
    listening = studio._listener("tiny", "painter")
    store.keep_calibration("tiny", measured(sha256))
    assert judge() is not listening and judge() is judge() and judge().checkpoint.calibration == TABLE
    store.keep_calibration("tiny", measured(sha256, table={"thresholds": {"1e-01": 0.3}}))
    assert judge().checkpoint.calibration == {"thresholds": {"1e-01": 0.3}}
    other = imported(seed=1)
    store.keep_calibration("tiny", measured(other))
    assert judge().checkpoint.hashes == other
    assert studio._listener("tiny", "painter") is judge()


def test_a_photo_is_not_done_by_other_judges_than_its_run_says(imported: Callable[..., str]) -> None:
    """Recognisers may be calibrated, forgotten or left out in the window while photos are done."""
    sha256 = imported()
    store.keep_calibration("tiny", measured(sha256))
    studio, nothing = Studio("cpu"), Any
    settings = Settings(Recipe("solid", "solid"), judges=studio.own_judges())
    ensemble = Ensemble(studio, "solid")
    studio.who_judges = "starter"
    with pytest.raises(UsageError, match="Other recognisers judge by now"):
        ensemble.anonymize(nothing, settings, nothing, Progress())  # type: ignore[arg-type]


def test_a_dataset_is_not_judged_at_a_rate_that_was_not_measured(imported: Callable[..., str]) -> None:
    store.keep_calibration("tiny", measured(imported()))
    method: Any = SimpleNamespace(
        embedder="listener", id="painter", checkpoint=SimpleNamespace(id="x", conditioned_on=())
    )
    assert [judge.id for judge in Studio("cpu", far=1e-2)._judges_of(method)] == ["tiny"]
    with pytest.raises(CheckpointMissing, match="No recogniser is installed that can judge x"):
        Studio("cpu", far=1e-3)._judges_of(method)


def test_a_recogniser_that_says_nothing_is_a_sentence_on_the_command_line(
    imported: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    imported()
    network = published.network(published.BACKBONE)
    torch.save({name: torch.zeros_like(value) for name, value in network.state_dict().items()}, tmp_path / "tiny.ckpt")
    importing.import_files(checkpoint("tiny"), [tmp_path / "tiny.ckpt"], Progress(), any_hash=True)
    for person in range(20):
        for take in range(2):
            write_picture(tmp_path / "people" / f"{person}" / f"{take}.png", picture(40, 40, seed=2 * person + take))
    monkeypatch.setattr(Studio, "_detector", lambda self: FakeDetector([face_at(20, 20, 30)]))
    assert run(["weights", "calibrate", "tiny", str(tmp_path / "people"), "--device", "cpu"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("Error: Only 0 people have two faces or more that count") and len(told.splitlines()) == 1
    assert "tiny gives no usable identity for this face: its embedding is zero" in told
