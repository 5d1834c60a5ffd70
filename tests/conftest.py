"""What holds for every test: no screen, no settings of the person who runs it, and no thread that outlives its test."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before anything imports Qt
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # a worker a core; what is there came from the process that started the workers
else:
    os.environ.setdefault("OMP_NUM_THREADS", "2")

import pytest

PATIENCE = 3.0  # seconds that a thread may take to end after its test


@pytest.fixture(autouse=True)
def no_surviving_threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test whose threads still run after its fixtures are gone: a window would hang on them when it quits."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + PATIENCE
    while (alive := _started_since(before)) and time.monotonic() < deadline:
        time.sleep(0.01)
    if alive:
        pytest.fail(f"threads survived the test: {', '.join(sorted(thread.name for thread in alive))}", pytrace=False)


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folders of this test: a new, empty one for each, never those of the person who runs it."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("FACESTUDIO_HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    return home


@pytest.fixture
def shared() -> Path:
    """The folder of shared figures beside the checkout; the test is skipped where there is none."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared here")
    return folder


def _started_since(before: set[threading.Thread]) -> list[threading.Thread]:
    """Threads that were started since `before` and still run; foreign ones (Qt's, torch's) never leave the list."""
    foreign = (threading._DummyThread,)  # type: ignore[attr-defined]
    return [t for t in threading.enumerate() if t not in before and t.is_alive() and not isinstance(t, foreign)]
