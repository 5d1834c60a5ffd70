from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from facestudio import device
from facestudio.checkpoints import Checkpoint
from facestudio.errors import OutOfMemory, UsageError
from facestudio.faces.identity import Embedder
from facestudio.faces.panel import Panel
from facestudio.loaded import PANEL
from facestudio.progress import Cancelled, Progress, Update
from facestudio.studio import Studio
from tests.fakes import fake_checkpoint


def torch_says(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_takes_the_best_there_is(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str) -> None:
    torch_says(monkeypatch, cuda, mps)
    assert device.resolve("auto") == expected
    assert device.resolve("cpu") == "cpu"


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_what_is_not_there_is_refused_and_what_is_there_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    torch_says(monkeypatch, False, False)
    with pytest.raises(UsageError, match=name) as caught:
        device.resolve(name)
    assert caught.value.hint
    torch_says(monkeypatch, True, True)
    assert device.resolve(name) == name


@pytest.mark.parametrize("name", ["", "gpu", "CPU", "cuda:7"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not known"):
        device.resolve(name)


def test_describe_names_the_processor_and_its_threads() -> None:
    import torch

    words = device.describe("cpu")
    assert str(torch.get_num_threads()) in words
    assert device.processor() in words
    assert words.endswith("(cpu)")


def test_torch_stays_out_until_it_is_needed() -> None:
    code = "import sys, facestudio.device as d; d.resolve('cpu'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


class Worker:
    """Doubles numbers; `limit` is the largest batch that its memory holds."""

    def __init__(self, limit: int = 1000, error: Callable[[], Exception] = MemoryError) -> None:
        self.batches: list[int] = []
        self._limit, self._error = limit, error

    def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(len(items))
        if len(items) > self._limit:
            raise self._error()
        return [2 * item for item in items]


def test_batches_keep_the_order() -> None:
    worker = Worker()
    assert device.run_batched(worker, range(10), 4) == [2 * n for n in range(10)]
    assert worker.batches == [4, 4, 2]
    assert device.run_batched(worker, [], 4) == []


def torch_error() -> Exception:
    import torch

    return torch.OutOfMemoryError("CUDA ran dry")


OUT_OF_MEMORY = [
    MemoryError,
    torch_error,
    lambda: RuntimeError("MPS backend out of memory (allocated 1 GB)"),
    lambda: RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_half_the_batch_is_tried_once_and_kept(error: Callable[[], Exception]) -> None:
    worker = Worker(limit=2, error=error)
    assert device.run_batched(worker, range(9), 4) == [2 * n for n in range(9)]
    assert worker.batches == [4, 2, 2, 2, 2, 1]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_a_second_failure_is_out_of_memory(error: Callable[[], Exception]) -> None:
    worker = Worker(limit=1, error=error)
    with pytest.raises(OutOfMemory) as caught:
        device.run_batched(worker, range(9), 4)
    assert worker.batches == [4, 2]
    assert caught.value.hint


def test_one_item_that_does_not_fit_is_tried_twice() -> None:
    worker = Worker(limit=0)
    with pytest.raises(OutOfMemory):
        device.run_batched(worker, [1], 1)
    assert worker.batches == [1, 1]


def test_other_errors_are_not_retried() -> None:
    worker = Worker(limit=0, error=lambda: RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        device.run_batched(worker, range(4), 4)
    assert worker.batches == [4]


def test_a_function_that_loses_results_is_caught() -> None:
    with pytest.raises(ValueError, match="3 items gave 2"):
        device.run_batched(lambda items: items[1:], [1, 2, 3], 3)


def test_progress_is_told_and_can_stop_it() -> None:
    updates: list[Update] = []
    device.run_batched(Worker(), range(8), 2, Progress(updates.append, every=0), "Doubling")
    assert [u.fraction for u in updates] == [0, 0.25, 0.5, 0.75, 1]
    assert {u.stage for u in updates} == {"Doubling"}

    progress = Progress()

    def stopping(items: list[int]) -> list[int]:
        progress.cancel()
        return items

    with pytest.raises(Cancelled):
        device.run_batched(stopping, range(8), 2, progress)


def test_what_cannot_be_halved_runs_out_of_memory_in_one_sentence() -> None:
    from facestudio.device import enough_memory
    from facestudio.errors import OutOfMemory

    for error in (MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")):
        with pytest.raises(OutOfMemory, match="not enough memory") as raised, enough_memory():
            raise error
        assert raised.value.hint
    with pytest.raises(RuntimeError, match="shapes"), enough_memory():
        raise RuntimeError("shapes differ")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, False, ("auto", "cpu", "cuda")), (False, True, ("auto", "cpu", "mps")), (False, False, ("auto", "cpu"))],
)
def test_only_what_is_there_can_be_chosen(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: tuple[str, ...]
) -> None:
    torch_says(monkeypatch, cuda, mps)
    assert device.there() == expected == Studio().devices_here()


def test_another_device_lets_go_of_what_was_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    torch_says(monkeypatch, False, False)
    studio, loaded = Studio("cpu"), list[str]()

    def load() -> str:
        loaded.append(studio.device)
        return studio.device

    assert studio._keep("network", load) == studio._keep("network", load) == "cpu"
    known = studio._identities
    for name in ("cuda", "gpu"):
        with pytest.raises(UsageError):
            studio.use_device(name)
    studio.use_device("cpu")
    assert studio._keep("network", load) == "cpu" and studio._identities is known, "nothing was to be changed"
    studio.use_device("auto")
    assert studio._keep("network", load) == "auto" and loaded == ["cpu", "auto"]
    assert studio._identities is not known, "what another device said is asked anew"


def test_what_is_being_loaded_is_not_kept_for_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    studio, other = Studio("cpu"), Thread(target=lambda: studio.use_device("auto"))

    def meanwhile(name: str) -> str:
        """Resolves "cpu"; somebody chooses another device just then."""
        if not other.ident:
            other.start()
            other.join(0.3)  # it has to wait for the lock, but that it does not wait is what would be wrong
        return name

    monkeypatch.setattr(device, "resolve", meanwhile)
    monkeypatch.setattr(Embedder, "load", lambda entry, where, known: SimpleNamespace(checkpoint=entry, device=where))
    entry = fake_checkpoint("judge")
    assert studio._embedder(entry).device == "cpu", "what is being computed ends where it began"
    other.join()
    assert studio.device == studio._embedder(entry).device == "auto"


def test_a_panel_is_of_recognisers_of_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    class Judged(Studio):
        def checkpoints(self) -> list[Checkpoint]:
            return [fake_checkpoint(PANEL)]

        def _embedders(self) -> list[Any]:
            found = [self._keep("judge", lambda: SimpleNamespace(id="judge", device=self.device))]
            if not other.ident:
                other.start()
                other.join(0.3)
            return found

    studio = Judged("cpu")
    other = Thread(target=lambda: studio.use_device("auto"))
    monkeypatch.setattr(Panel, "load", lambda entry, embedders: SimpleNamespace(device=embedders["judge"].device))
    studio._panel()
    other.join()
    panel: Any = studio._panel()
    assert studio.device == panel.device == "auto"
