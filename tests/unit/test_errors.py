from __future__ import annotations

import inspect
import pickle

import pytest

from facestudio import errors
from facestudio.errors import (
    CheckpointCorrupt,
    CheckpointError,
    CheckpointMismatch,
    CheckpointMissing,
    DownloadFailed,
    FaceStudioError,
    PhotoError,
    UnreadablePhoto,
    UsageError,
    exit_code,
)
from facestudio.progress import Cancelled

EVERY = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, FaceStudioError)]


@pytest.mark.parametrize("cls", EVERY)
def test_error_carries_its_sentence_and_its_hint(cls: type[FaceStudioError]) -> None:
    error = cls("It broke.", hint="Mend it.")
    assert (str(error), error.hint, cls("It broke.").hint) == ("It broke.", "Mend it.", "")


def test_tree_is_the_one_that_is_drawn() -> None:
    assert issubclass(UnreadablePhoto, PhotoError)
    kinds = {CheckpointMissing, CheckpointCorrupt, CheckpointMismatch, DownloadFailed}
    assert kinds == set(CheckpointError.__subclasses__())
    drawn = errors.__doc__ or ""
    assert all(cls.__name__ in drawn for cls in EVERY)


@pytest.mark.parametrize("cls", EVERY)
def test_only_wrong_usage_has_another_exit_code(cls: type[FaceStudioError]) -> None:
    assert exit_code(cls("no")) == (2 if cls is UsageError else 1)


def test_error_survives_the_way_from_a_child_process() -> None:
    error = pickle.loads(pickle.dumps(CheckpointMissing("Gone.", hint="Fetch it.")))
    assert (type(error), str(error), error.hint) == (CheckpointMissing, "Gone.", "Fetch it.")


def test_stopping_is_not_an_error() -> None:
    assert not issubclass(Cancelled, Exception)
