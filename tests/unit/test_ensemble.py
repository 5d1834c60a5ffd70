"""The people of a run: whom the faces of a photo become when it is done again."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facestudio.album import Album
from facestudio.ensemble import Ensemble
from facestudio.faces.face import Identity
from facestudio.faces.people import IdentitySpace
from facestudio.networks.people import People
from facestudio.planning import Item, Plan
from facestudio.progress import Cancelled, Progress
from facestudio.studio import Studio
from tests.fakes import SlowRestorer
from tests.unit.test_album import PEOPLE, SECRET, SHOWN, Knowing, Run
from tests.unit.test_people import training_people

RUN, OTHER = "starter-redraw", "starter-decouple"


class Replacing(SlowRestorer):
    """A Replacing method without weights, of some people; it remembers whom it was told."""

    def __init__(self, people: IdentitySpace) -> None:
        super().__init__(goal="change")
        self.people = people
        self.persons: list[Identity] = []

    def who(self, aligned: Any) -> Identity:
        raise AssertionError("whom it becomes is known")

    def becoming(self, person: Identity) -> Replacing:
        self.persons.append(person)
        return self


def others() -> IdentitySpace:
    """People of another embedder, whose identities are of another size."""
    network = People(24, 8, 300)
    network.fit(torch.nn.functional.normalize(training_people()[:, :24], dim=1))
    return IdentitySpace(network.eval(), "another", strangers=0.6, copies=0.97)


class Two(Studio):
    """A Studio of two methods with people of their own, and the album of a `run`."""

    def __init__(self, run: Run) -> None:
        super().__init__("cpu")
        self.run = run
        self.methods = {RUN: Replacing(PEOPLE), OTHER: Replacing(others())}

    def album(self, checkpoint_id: str, secret: Any, similar: bool = False) -> Album:
        return Album(self.methods[checkpoint_id].people, lambda: ([self.run.judge], None), secret)  # type: ignore[list-item]

    def _method(self, checkpoint_id: str) -> Any:
        return self.methods[checkpoint_id]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, SHOWN)


def plan(run: Run) -> Plan:
    return Plan(tuple(Item(path, path.with_suffix(".out.png")) for path in run.paths))


def test_another_checkpoint_has_people_of_its_own_for_the_same_tokens(run: Run) -> None:
    studio = Two(run)
    ensemble = Ensemble(studio, RUN, SECRET)
    ensemble.gather(plan(run), run.find, Progress())
    assert ensemble.album is not None
    tokens = run.persons(ensemble.album)[0]
    record = {"faces": [{"person": tokens[0]}, {"status": "fallback"}]}
    for checkpoint, method in studio.methods.items():
        cast = ensemble.recast(run.paths[0], checkpoint, record)
        assert cast is not None
        for index, token in enumerate(tokens):
            cast.told(method, index, None, 0)  # type: ignore[arg-type]
            wanted = method.people.draw(SECRET.seed(token))
            assert cast.token(index) == token and method.persons[-1].embedder == method.people.embedder
            assert np.array_equal(method.persons[-1].embedding, wanted.embedding)


def test_an_open_ensemble_holds_no_network_and_goes_on_with_what_is_loaded_elsewhere_by_then(run: Run) -> None:
    class Moved(Studio):
        """Loads recognisers anew for each device, as the facade does."""

        def _method(self, checkpoint_id: str) -> Any:
            return Replacing(PEOPLE)

        def _embedders(self) -> list[Any]:
            return [self._keep("judge", lambda: Knowing(SHOWN))]

        def _panel(self) -> None:
            return None

    studio = Moved("cpu")
    ensemble = Ensemble(studio, RUN, SECRET)
    items, found = plan(run).items, list[Path]()

    def find(photo: Any, progress: Progress) -> Any:
        if photo.path == run.paths[2] and len(found) == 2:
            found.append(photo.path)
            raise Cancelled
        found.append(photo.path)
        return run.find(photo, progress)

    with pytest.raises(Cancelled):
        ensemble.gather(Plan(items), find, Progress())
    (first,) = studio._embedders()
    calls, held = first.calls, weakref.ref(first)
    del first
    studio.use_device("auto")
    gc.collect()
    assert calls == 2 and held() is None, "nothing keeps what was loaded before"
    ensemble.gather(Plan(items), find, Progress())
    (second,) = studio._embedders()
    assert second.calls == 2 and found == [*run.paths[:3], *run.paths[2:]], "who was seen is not looked for again"
    assert ensemble.album is not None
    assert run.persons(ensemble.album) == run.persons(run.album())


def test_as_long_as_the_look_for_people_is_not_done_the_record_says_who_it_was(run: Run) -> None:
    ensemble = Ensemble(Two(run), RUN, SECRET)
    progress = Progress()
    find = run.find

    def stopping(photo: Any, progress: Progress) -> Any:
        if photo.path == run.paths[2]:
            progress.cancel()
        return find(photo, progress)

    record = {"faces": [{"person": SECRET.token("who it was")}, {"status": "fallback"}]}
    with pytest.raises(Cancelled):
        ensemble.gather(plan(run), stopping, progress)
    cast = ensemble.recast(run.paths[0], RUN, record)
    assert cast is not None and (cast.token(0), cast.token(1)) == (SECRET.token("who it was"), "")
    ensemble.gather(plan(run), find, Progress())
    cast = ensemble.recast(run.paths[0], RUN, record)
    assert cast is not None and cast.token(0) == SECRET.token("who it was") and cast.token(1)
