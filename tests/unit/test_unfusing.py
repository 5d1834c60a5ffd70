"""IR-ResNets out of ONNX graphs: however they were exported, they say what they said; anything else is one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from facestudio import checkpoints, conversion, importing
from facestudio.checkpoints import Checkpoint, checkpoint
from facestudio.cli.main import run
from facestudio.conversion import Order
from facestudio.errors import CheckpointCorrupt, CheckpointMismatch
from facestudio.faces import unfusing
from facestudio.faces.exporting import export
from facestudio.faces.identity import Embedder
from facestudio.networks.iresnet import IResNet
from facestudio.networks.mobilefacenet import MobileFaceNet
from facestudio.progress import Progress
from tests import published
from tests.fakes import CALIBRATION, face_at, fake_checkpoint, picture
from tests.onnx_files import OURS, PUBLISHED, SMALL, filled, write

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
helper, numpy_helper = onnx.helper, onnx.numpy_helper


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests convert in this process, whose memory is not theirs to limit."""
    monkeypatch.setattr(conversion, "limit_memory", lambda more: None)


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network of the published layout as the published file was made."""
    return write(filled(SMALL), tmp_path_factory.mktemp("graphs") / "net.onnx")


def converted(path: Path, config: dict[str, Any], architecture: str = "iresnet:IResNet") -> dict[str, Tensor]:
    """The tensors that the file becomes, by the way of every file."""
    target = path.with_name("made.safetensors")
    told: dict[str, Any] = {"title": "Eye", "sources": {"": str(path)}, "architecture": architecture, "config": config}
    conversion.convert(Order(target=str(target), **told))
    return load_file(target)


def loaded(path: Path, config: dict[str, Any]) -> IResNet:
    network = IResNet(**config)
    lacking, unknown = network.load_state_dict(converted(path, config), strict=False)
    assert not unknown and all(key.endswith("num_batches_tracked") for key in lacking)
    return network.eval()


def check_same(one: nn.Module, other: nn.Module) -> None:
    """To a ten-thousandth of how much the embeddings differ from one another."""
    torch.manual_seed(7)
    pictures = torch.rand(3, 3, 112, 112) * 2 - 1
    with torch.inference_mode():
        wanted, found = one(pictures), other(pictures)
    assert wanted.std(dim=0).min() > 0
    assert (wanted - found).abs().max() < 1e-4 * wanted.std()


@pytest.mark.parametrize(
    ("config", "way"),
    [(SMALL, "folded"), (SMALL, "plain"), (SMALL, "present"), (OURS, "plain")],
    ids=["folded", "plain", "present", "ours"],
)
def test_it_says_what_the_exported_network_said(config: dict[str, Any], way: str, tmp_path: Path) -> None:
    network = filled(config)
    path = write(network, tmp_path / "net.onnx", way)
    norms = sum(node.op_type == "BatchNormalization" for node in onnx.load(path).graph.node)
    every = sum(isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) for module in network.modules())
    assert norms == every if way == "plain" else norms < every
    check_same(network, loaded(path, config))


def test_a_hundred_layers_find_their_places(tmp_path: Path) -> None:
    config = {"layers": [3, 13, 30, 3], **PUBLISHED}
    network = filled(config)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data *= 0.6  # else fifty units add up to numbers without a digit to compare
    path = write(network, tmp_path / "net.onnx")
    check_same(network, loaded(path, config))
    with pytest.raises(CheckpointMismatch) as caught:
        converted(path, {"layers": [3, 4, 14, 3], **PUBLISHED})
    words = "its layers have 3, 13, 30, 3 units where 3, 4, 14, 3 are expected"
    assert str(caught.value) == f"net.onnx does not fit Eye: {words}."


def test_what_weights_export_writes_can_be_imported(tmp_path: Path) -> None:
    network = filled(OURS)
    file = tmp_path / "net.safetensors"
    save_file({key: value for key, value in network.state_dict().items() if value.is_floating_point()}, file)
    files = {"weights": checkpoints.File(file, published.sha256(file), file.stat().st_size)}
    told: dict[str, Any] = {"architecture": "iresnet:IResNet", "config": OURS, "calibration": CALIBRATION}
    check_same(network, loaded(export(fake_checkpoint("eye", files=files, **told), tmp_path / "net.onnx"), OURS))


# ---- other ways to write the same


def nodes_of(made: Any, op: str) -> list[Any]:
    return [node for node in made.graph.node if node.op_type == op]


def constant(made: Any, name: str) -> np.ndarray:
    return numpy_helper.to_array(next(one for one in made.graph.initializer if one.name == name))


def put(made: Any, name: str, values: np.ndarray) -> str:
    for one in [one for one in made.graph.initializer if one.name == name]:
        made.graph.initializer.remove(one)
    made.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
    return name


def insert(made: Any, before: Any, op: str, **attributes: Any) -> None:
    """Put an operation between `before` and what it takes."""
    node = helper.make_node(op, [before.input[0]], [f"new {op}"], **attributes)
    before.input[0] = node.output[0]
    made.graph.node.insert(list(made.graph.node).index(before), node)


def as_matmul(made: Any, transposed: bool) -> None:
    (gemm,) = nodes_of(made, "Gemm")
    weight = put(made, "turned", constant(made, gemm.input[1]) if transposed else constant(made, gemm.input[1]).T)
    nodes = [helper.make_node("MatMul", [gemm.input[0], weight], ["product"])]
    if transposed:
        nodes = [helper.make_node("Transpose", [weight], ["t"], perm=[1, 0]), *nodes]
        nodes[1].input[1] = "t"
    nodes.append(helper.make_node("Add", [gemm.input[2], "product"], list(gemm.output)))
    place = list(made.graph.node).index(gemm)
    made.graph.node.remove(gemm)
    for node in reversed(nodes):
        made.graph.node.insert(place, node)


def untransposed(made: Any) -> None:
    (gemm,) = nodes_of(made, "Gemm")
    put(made, gemm.input[1], constant(made, gemm.input[1]).T)
    next(one for one in gemm.attribute if one.name == "transB").i = 0


def nothings(made: Any) -> None:
    insert(made, nodes_of(made, "Flatten")[0], "Identity")
    insert(made, nodes_of(made, "Gemm")[0], "Dropout")
    insert(made, nodes_of(made, "Conv")[0], "Cast", to=1)


def doubles(made: Any) -> None:
    for one in list(made.graph.initializer):
        put(made, one.name, numpy_helper.to_array(one).astype(np.float64))


def swapped(made: Any) -> None:
    for node in nodes_of(made, "Add"):
        node.input[:] = [node.input[1], node.input[0]]


def biased(made: Any) -> None:
    """A bias of the convolution and a normalisation behind it, with another epsilon and a scale that hides both."""
    conv = nodes_of(made, "Conv")[0]
    bias, wide = constant(made, conv.input[2]), len(constant(made, conv.input[2]))
    variance, scale = np.full(wide, 2.0 - 3e-3, np.float32), np.full(wide, np.sqrt(2), np.float32)
    mean = np.linspace(-1, 1, wide, dtype=np.float32)
    put(made, conv.input[2], bias + mean)
    told = [("s", scale), ("z", np.zeros(wide, np.float32)), ("m", mean), ("v", variance)]
    names = [put(made, name, values) for name, values in told]
    place = list(made.graph.node).index(conv)
    behind = made.graph.node[place + 1]
    norm = helper.make_node("BatchNormalization", [conv.output[0], *names], ["normed"], epsilon=3e-3)
    behind.input[0] = "normed"
    made.graph.node.insert(place + 1, norm)


@pytest.mark.parametrize(
    "change",
    [lambda m: as_matmul(m, False), lambda m: as_matmul(m, True), untransposed, nothings, doubles, swapped, biased],
    ids=["product", "product turned", "not turned", "nothings", "doubles", "swapped", "biased"],
)
def test_the_same_written_another_way(folded: Path, tmp_path: Path, change: Callable[[Any], None]) -> None:
    made = onnx.load(folded)
    change(made)
    path = tmp_path / "net.onnx"
    onnx.save(made, path)
    check_same(filled(SMALL), loaded(path, SMALL))


@pytest.mark.parametrize("spread", [False, True])
def test_one_slope_for_all_channels(folded: Path, tmp_path: Path, spread: bool) -> None:
    made, network = onnx.load(folded), filled(SMALL)
    act = nodes_of(made, "PRelu")[0]
    put(made, act.input[1], np.array([0.3], np.float32))
    if spread:
        shape = put(made, "shape", np.array([16, 1, 1]))
        like = helper.make_node("CastLike", [act.input[1], made.graph.input[0].name], ["like"])
        made.graph.node.insert(0, like)
        made.graph.node.insert(1, helper.make_node("Expand", ["like", shape], ["slopes"]))
        act.input[1] = "slopes"
    network.prelu.weight.data.fill_(0.3)
    onnx.save(made, tmp_path / "net.onnx")
    check_same(network, loaded(tmp_path / "net.onnx", SMALL))


# ---- what is another network


def scaled_picture(made: Any) -> None:
    conv, name = nodes_of(made, "Conv")[0], put(made, "127.5", np.array([127.5], np.float32))
    node = helper.make_node("Sub", [conv.input[0], name], ["scaled"])
    conv.input[0] = "scaled"
    made.graph.node.insert(0, node)


def normalised_end(made: Any) -> None:
    last = made.graph.node[-1]
    made.graph.node.append(helper.make_node("LpNormalization", [last.output[0]], ["unit"], axis=1))
    made.graph.output[0].name = "unit"


def strided(made: Any) -> None:
    next(one for one in nodes_of(made, "Conv")[0].attribute if one.name == "strides").ints[:] = [2, 2]


def learning(made: Any) -> None:
    nodes_of(made, "BatchNormalization")[0].attribute.add(name="training_mode", type=onnx.AttributeProto.INT).i = 1


def two_results(made: Any) -> None:
    made.graph.output.append(helper.make_tensor_value_info(made.graph.node[0].output[0], 1, None))


def other_shortcut(made: Any) -> None:
    first, second = nodes_of(made, "Add")[:2]
    conv = next(node for node in made.graph.node if node.output[0] in second.input and _spans(made, node) == 1)
    conv.input[0] = next(node for node in made.graph.node if node.op_type == "PRelu").output[0]


def _spans(made: Any, node: Any) -> int:
    return int(constant(made, node.input[1]).shape[-1]) if node.op_type == "Conv" else 0


def half_a_layer(made: Any) -> None:
    name = nodes_of(made, "Conv")[0].input[2]
    put(made, name, constant(made, name)[:3])


def no_number(made: Any) -> None:
    name = nodes_of(made, "Conv")[0].input[1]
    put(made, name, constant(made, name) * np.float32("nan"))


def whole_numbers(made: Any) -> None:
    name = nodes_of(made, "Gemm")[0].input[1]
    put(made, name, constant(made, name).astype(np.int8))


def rectified(made: Any) -> None:
    node = nodes_of(made, "PRelu")[1]
    node.op_type = "Relu"
    node.input.pop()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (scaled_picture, "it has Sub where the picture is expected"),
        (normalised_end, "it has LpNormalization where Gemm is expected"),
        (strided, "a Conv of it has strides 2, 2 where 1, 1 is expected"),
        (learning, "a BatchNormalization of it has training_mode 1 where 0 is expected"),
        (two_results, "it gives 2 results where one is expected"),
        (other_shortcut, "a shortcut of it does not begin where its unit does"),
        (half_a_layer, "it has 3 channels where 16 are expected"),
        (whole_numbers, "its weights are of a kind that cannot be used"),
        (rectified, "it has Relu where PRelu is expected"),
    ],
)
def test_another_network_is_one_sentence(
    folded: Path, tmp_path: Path, change: Callable[[Any], None], words: str
) -> None:
    made = onnx.load(folded)
    change(made)
    onnx.save(made, tmp_path / "net.onnx")
    with pytest.raises(CheckpointMismatch) as caught:
        converted(tmp_path / "net.onnx", SMALL)
    assert str(caught.value) == f"net.onnx does not fit Eye: {words}."
    assert caught.value.hint == "Choose the published file."
    assert not (tmp_path / "made.safetensors").exists()


def epsilon(made: Any, kind: Any, **value: Any) -> None:
    (told,) = [one for one in nodes_of(made, "BatchNormalization")[0].attribute if one.name == "epsilon"]
    told.ClearField("f")
    told.type = kind
    for name, content in value.items():
        setattr(told, name, content)


def without_numbers(made: Any) -> None:
    """A linear layer of so many outputs, of no inputs each, that their bias would fill any memory."""
    (gemm,) = nodes_of(made, "Gemm")
    weight = next(one for one in made.graph.initializer if one.name == gemm.input[1])
    weight.ClearField("raw_data")
    weight.dims[:] = [1 << 50, 0]
    del gemm.input[2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: epsilon(m, onnx.AttributeProto.STRING, s=b"x"), "has an epsilon that is no number"),
        (lambda m: epsilon(m, onnx.AttributeProto.FLOAT, f=float("nan")), "contains values that are not numbers"),
        (without_numbers, r"fc\.weight is 1125899906842624 x 0 torch\.float32 where"),
    ],
    ids=["a word", "no number", "no inputs"],
)
def test_hostile_numbers_are_a_sentence(
    folded: Path, tmp_path: Path, change: Callable[[Any], None], words: str
) -> None:
    made = onnx.load(folded)
    change(made)
    onnx.save(made, tmp_path / "net.onnx")
    with pytest.raises((CheckpointMismatch, CheckpointCorrupt), match=words):
        converted(tmp_path / "net.onnx", SMALL)


def test_a_long_way_that_many_layers_share_is_gone_once(
    folded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, many = onnx.load(folded), 200
    first = [node for node in nodes_of(made, "Conv") if _spans(made, node) == 3][0]
    long = [helper.make_node("Identity", [first.input[1] if not n else f"i{n - 1}"], [f"i{n}"]) for n in range(many)]
    last, slopes = nodes_of(made, "Add")[-1], nodes_of(made, "PRelu")[0].input[1]
    place, value = list(made.graph.node).index(last), last.output[0]
    units: list[Any] = []
    for n in range(many):
        units.append(helper.make_node("Conv", [value, long[-1].output[0]], [f"a{n}"]))
        units.append(helper.make_node("PRelu", [f"a{n}", slopes], [f"b{n}"]))
        units.append(helper.make_node("Conv", [f"b{n}", long[-1].output[0]], [f"c{n}"]))
        units.append(helper.make_node("Add", [f"c{n}", value], [f"d{n}"]))
        value = f"d{n}"
    behind = list(made.graph.node)[place + 1 :]
    for node in behind:
        node.input[:] = [value if one == last.output[0] else one for one in node.input]
    nodes = [*long, *list(made.graph.node)[: place + 1], *units, *behind]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    onnx.save(made, tmp_path / "net.onnx")
    steps, given = [], unfusing._Walk._given

    def counted(walk: Any, node: Any, index: int) -> str:
        steps.append(node)
        return given(walk, node, index)

    monkeypatch.setattr(unfusing._Walk, "_given", counted)
    with pytest.raises(CheckpointMismatch, match="its layers have 1, 2, 1, 201 units"):
        converted(tmp_path / "net.onnx", SMALL)
    assert len(steps) < 20 * len(nodes)


def test_weights_that_are_no_numbers_are_damaged(folded: Path, tmp_path: Path) -> None:
    made = onnx.load(folded)
    no_number(made)
    onnx.save(made, tmp_path / "net.onnx")
    with pytest.raises(CheckpointCorrupt, match=r"conv1\.weight contains values that are not numbers"):
        converted(tmp_path / "net.onnx", SMALL)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({**SMALL, "layers": [1, 1, 2, 1]}, "its layers have 1, 2, 1, 1 units where 1, 1, 2, 1 are expected"),
        ({**SMALL, "widths": [16, 16, 16, 16, 32]}, "it has 24 channels where 32 are expected"),
        ({**SMALL, "dimensions": 32}, "it has 16 channels where 32 are expected"),
        ({**SMALL, "reduced": 6}, "it has BatchNormalization where a convolution is expected"),
        ({**SMALL, "squeezed": True}, "it lacks layer1.0.se_block.fc1.weight (and 9 more differ)"),
    ],
)
def test_another_size_is_one_sentence(folded: Path, tmp_path: Path, config: dict[str, Any], words: str) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(folded.read_bytes())
    with pytest.raises(CheckpointMismatch) as caught:
        converted(path, config)
    assert str(caught.value) == f"net.onnx does not fit Eye: {words}."


def test_a_graph_of_another_kind_is_one_sentence(tmp_path: Path) -> None:
    path = write(MobileFaceNet(16, (1, 1, 1, 1), 1).eval(), tmp_path / "net.onnx")
    with pytest.raises(CheckpointMismatch, match=r"^net\.onnx does not fit Eye: it has .* is expected\.$"):
        converted(path, SMALL)
    with pytest.raises(CheckpointMismatch, match=r"Eye: it is an ONNX graph, which is read of IR-ResNets only\.$"):
        converted(path, published.ESTIMATOR["config"], published.ESTIMATOR["architecture"])
    path = write(filled({**SMALL, "squeezed": True}), path)
    with pytest.raises(CheckpointMismatch, match="it adds up what no unit of an IR-ResNet does"):
        converted(path, SMALL)


# ---- as weights of a user


def test_a_user_imports_the_file_and_the_recogniser_embeds(
    folded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command line, in a process of its own with its limits; and nothing is left of files that do not fit."""
    table = {**published.tables()["tiny"], "architecture": "iresnet:IResNet", "config": SMALL}
    table["files"] = {"weights": {"name": "net.onnx", "about": folded.stat().st_size}}
    published.write_manifest(tmp_path / "weights", {"eye": table})
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(tmp_path / "weights"))
    wrong = write(filled({**SMALL, "layers": [1, 1, 1, 1]}), tmp_path / "wrong" / "net.onnx")
    assert run(["weights", "import", "eye", str(wrong)]) != 0
    assert "its layers have 1, 1, 1, 1 units where 1, 2, 1, 1 are expected" in capsys.readouterr().err
    assert not checkpoint("eye").here
    assert run(["weights", "import", "eye", str(folded)]) == 0
    eye: Checkpoint = checkpoint("eye")
    assert checkpoints.verify(eye) == "present"
    face = face_at(100, 100, 130)
    pixels = picture(200, 200, [face])
    found = Embedder.load(eye, "cpu").embed(pixels, face.landmarks)
    wanted = Embedder(eye, filled(SMALL)).embed(pixels, face.landmarks)
    assert np.abs(found.embedding - wanted.embedding).max() < 1e-4 * wanted.embedding.std()
    with pytest.raises(CheckpointCorrupt, match="is not the file that was imported"):
        importing.import_files(eye, [wrong], Progress())
