"""The manifest that comes with the program: what every table promises, above all those of published weights."""

from __future__ import annotations

import inspect
import tomllib
from urllib.parse import unquote, urlsplit

import pytest
import torch

from facestudio import paths
from facestudio.checkpoints import MANIFEST, load_manifest
from facestudio.faces.loading import build_network
from facestudio.importing import largest, obstacle
from facestudio.methods.base import method_class
from facestudio.options import describe
from facestudio.training.export import dump

ENTRIES = load_manifest()
PUBLISHED = {id: entry for id, entry in ENTRIES.items() if entry.published}


def test_there_are_both_kinds() -> None:
    assert PUBLISHED and set(PUBLISHED) < set(ENTRIES)


def test_an_export_leaves_every_other_table_as_it_is() -> None:
    text = (paths.weights_dir() / MANIFEST).read_text(encoding="utf-8")
    assert tomllib.loads(dump(tomllib.loads(text))) == tomllib.loads(text)


@pytest.mark.parametrize("id", ENTRIES)
def test_every_checkpoint_says_what_it_is(id: str) -> None:
    entry = ENTRIES[id]
    assert entry.title and entry.licence and entry.source and entry.purpose
    if entry.files:
        assert entry.bytes > 0
    else:
        assert entry.uses or entry.goal == "change", "works with other checkpoints, or is a method that needs none"
    assert all(id in ENTRIES for id in entry.uses.values())
    if entry.method:
        cls = method_class(entry)
        assert (cls.goal, cls.id) == (entry.goal, entry.method.partition(":")[0])
        assert any(not field.rare for field in describe(cls.Options)), "something is to choose without unfolding"
        inspect.signature(cls.load).bind(entry, "cpu")


@pytest.mark.parametrize("id", PUBLISHED)
def test_published_weights_say_where_they_are_from_and_ask_for_their_licence(id: str) -> None:
    entry = PUBLISHED[id]
    assert entry.source.startswith("https://") and entry.accept
    for part, file in entry.files.items():
        published = file.published
        assert published is not None
        assert published.about or published.bytes, "the size is said before a download"
        assert not published.sha256 or (len(published.sha256) == 64 and published.bytes)
        if published.url:
            address = urlsplit(published.url)
            assert address.scheme == "https"
            assert unquote(address.path).endswith(f"/{published.name}"), part
            assert published.url.startswith(entry.source), "from those who published it"
    assert (obstacle(entry) == "") == all(file.published and file.published.url for file in entry.files.values())


@pytest.mark.parametrize(("id", "part"), [(id, part) for id, entry in PUBLISHED.items() for part in entry.files])
def test_the_network_of_every_part_can_be_built_and_is_as_large_as_said(id: str, part: str) -> None:
    published = PUBLISHED[id].files[part].published
    assert published is not None
    if published.arrays:
        return
    with torch.device("meta"):
        network = build_network(*PUBLISHED[id].network(part), id)
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    assert size == pytest.approx(published.bytes or published.about, rel=0.01)
    assert largest(published) >= size


def test_the_arrays_of_dfdnet_are_its_dictionary() -> None:
    from facestudio.networks.dfdnet import entry_shapes

    published = PUBLISHED["dfdnet"].files["dictionary"].published
    assert published is not None
    assert {key: shape for key, (_, shape) in published.arrays.items()} == {
        key: (-1, *shape) for key, shape in entry_shapes().items()
    }
    assert published.arrays["left_eye_256"][0] == "left_eye_256_center.npy"
