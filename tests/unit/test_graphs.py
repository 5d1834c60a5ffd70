"""ONNX graphs as data: the same that the package onnx reads, and nothing but a sentence from what is damaged or hostile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facestudio import foreign, graphs
from facestudio.errors import CheckpointCorrupt, CheckpointMismatch

onnx = pytest.importorskip("onnx")
helper, kinds = onnx.helper, onnx.TensorProto

WEIGHTS = np.arange(12, dtype=np.float32).reshape(3, 4) / 7
ATTRIBUTES: dict[str, Any] = {
    "strides": [2, 3],
    "pads": [0, -1],
    "alpha": 0.5,
    "axis": -1,
    "mode": b"same",
    "scales": [0.25, 1.5],
}


def model(**changes: Any) -> Any:
    """A valid file of three operations; `changes` go to the graph's parts."""
    value = helper.make_tensor_value_info
    parts = {
        "nodes": [
            helper.make_node("Gemm", ["x", "w"], ["a"], name="first", alpha=2.0, transB=1),
            helper.make_node("Resize", ["a", "", "w"], ["b", "c"], **ATTRIBUTES),
            helper.make_node("Odd", ["b"], ["y"], domain="com.example"),
        ],
        "initializer": [helper.make_tensor("w", kinds.FLOAT, (3, 4), WEIGHTS.tobytes(), raw=True)],
        "inputs": [value("x", kinds.FLOAT, (1, 4)), value("w", kinds.FLOAT, (3, 4))],
        "outputs": [value("y", kinds.FLOAT, (1, 3))],
        **changes,
    }
    sparse = parts.pop("sparse_initializer", [])
    graph = helper.make_graph(**parts, name="g", sparse_initializer=sparse)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], producer_name="a test")


def written(made: Any, folder: Path) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return path


def test_operations_constants_and_names_are_read(tmp_path: Path) -> None:
    graph = foreign.read(written(model(), tmp_path))
    assert isinstance(graph, graphs.Graph)
    assert [node.op for node in graph.nodes] == ["Gemm", "Resize", "com.example:Odd"]
    gemm, resize, _ = graph.nodes
    assert (gemm.inputs, gemm.outputs, gemm.attributes) == (("x", "w"), ("a",), {"alpha": 2.0, "transB": 1})
    assert resize.inputs == ("a", "", "w") and resize.outputs == ("b", "c")
    told = {name: tuple(value) if isinstance(value, list) else value for name, value in ATTRIBUTES.items()}
    assert resize.attributes == told
    assert (graph.inputs, graph.outputs) == (("x",), ("y",)), "a constant is no input, though old files list it as one"
    assert np.array_equal(graph.constants["w"].values(), WEIGHTS)


@pytest.mark.parametrize(
    ("kind", "raw"), [("FLOAT", True), ("FLOAT16", True), ("DOUBLE", True), ("FLOAT", False), ("DOUBLE", False)]
)
def test_numbers_come_raw_or_one_by_one(tmp_path: Path, kind: str, raw: bool) -> None:
    number = getattr(kinds, kind)
    values = WEIGHTS.astype(helper.tensor_dtype_to_np_dtype(number))
    tensor = helper.make_tensor("w", number, values.shape, values.tobytes() if raw else values.ravel().tolist(), raw)
    found = foreign.read(written(model(initializer=[tensor]), tmp_path)).constants["w"].values()
    assert found.dtype == np.float32 and np.array_equal(found, values.astype(np.float32))
    found += 1  # its own, so the file is left alone


def test_the_constants_of_a_node_are_read_and_whole_numbers_are_no_weights(tmp_path: Path) -> None:
    value = helper.make_tensor("v", kinds.INT64, (2,), [-1, 392])
    nodes = [helper.make_node("Constant", [], ["y"], value=value)]
    graph = foreign.read(written(model(nodes=nodes), tmp_path))
    with pytest.raises(ValueError, match="no numbers with a fraction"):
        graph.nodes[0].attributes["value"].values()


def external(made: Any) -> Any:
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = kinds.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return made


def claimed(*dims: int) -> Callable[[Any], Any]:
    def change(made: Any) -> Any:
        del made.graph.initializer[0].dims[:]
        made.graph.initializer[0].dims.extend(dims)
        return made

    return change


def with_function(made: Any) -> Any:
    made.functions.add(name="f", domain="com.example")
    return made


def with_branches(made: Any) -> Any:
    made.graph.node[0].attribute.add(name="body", type=onnx.AttributeProto.GRAPH).g.name = "inner"
    return made


def with_sparse(made: Any) -> Any:
    made.graph.sparse_initializer.add().dims.extend([3, 4])
    return made


def in_a_circle(made: Any) -> Any:
    made.graph.node[0].input[0] = "b"
    return made


def made_twice(made: Any) -> Any:
    made.graph.node[1].output[0] = "a"
    return made


def without_maker(made: Any) -> Any:
    made.graph.output[0].name = "z"
    return made


def without_graph(made: Any) -> Any:
    made.ClearField("graph")
    return made


DAMAGED = "net.onnx is damaged, or is not a weights file."


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (external, CheckpointMismatch, "net.onnx keeps its weights in other files, which are not read."),
        (with_function, CheckpointMismatch, "net.onnx has functions of its own, which are not read."),
        (with_branches, CheckpointMismatch, "net.onnx has graphs within its graph, which are not read."),
        (with_sparse, CheckpointMismatch, "net.onnx has sparse weights, which are not read."),
        (claimed(1 << 40, 1 << 40), CheckpointCorrupt, DAMAGED),
        (claimed(-3, -4), CheckpointCorrupt, DAMAGED),
        (claimed(*[1 << 62] * 5000), CheckpointCorrupt, DAMAGED),
        (claimed(3, 5), CheckpointCorrupt, DAMAGED),
        (in_a_circle, CheckpointCorrupt, DAMAGED),
        (made_twice, CheckpointCorrupt, DAMAGED),
        (without_maker, CheckpointCorrupt, DAMAGED),
        (without_graph, CheckpointCorrupt, DAMAGED),
    ],
)
def test_what_is_damaged_or_not_read_is_one_sentence(
    tmp_path: Path, change: Callable[[Any], Any], kind: type[Exception], words: str
) -> None:
    path = written(change(model()), tmp_path)
    with pytest.raises(kind) as caught:
        foreign.read(path)
    assert str(caught.value) == words
    assert caught.value.hint  # type: ignore[attr-defined]


def test_every_cut_and_many_a_flipped_byte_are_a_sentence_at_most(tmp_path: Path) -> None:
    whole = model().SerializeToString()
    end = whole.rindex(b"\x42")  # behind the graph, where the version of the operations stands
    for length in range(1, end):
        with pytest.raises(CheckpointCorrupt):
            foreign.read(written(whole[:length], tmp_path))
    foreign.read(written(whole[:end], tmp_path))
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(500):
        content = bytearray(whole)
        for place in random.integers(3, len(content), 2):
            content[place] = random.integers(256)
        try:
            graph = foreign.read(written(bytes(content), tmp_path))
        except (CheckpointCorrupt, CheckpointMismatch):
            refused += 1
            continue
        for constant in graph.constants.values():
            if constant.kind == kinds.FLOAT:
                assert constant.values().nbytes <= len(whole)
    assert 100 < refused < 500


def wrapped(number: int, content: bytes) -> bytes:
    """A field of bytes, as Protocol Buffers write it."""
    length, size = b"", len(content)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


@pytest.mark.parametrize(
    "graph",
    [
        wrapped(1, b"") * 200_001,  # operations without anything
        wrapped(1, wrapped(1, b"") * 1_001) * 200,  # with inputs without a name
        wrapped(1, wrapped(5, wrapped(8, b"\x01" * 1_001))) * 200,  # with numbers
    ],
    ids=["operations", "inputs", "numbers"],
)
def test_a_file_of_countless_parts_is_damaged(tmp_path: Path, graph: bytes) -> None:
    bomb = written(b"\x08\x08\x12\x00" + wrapped(7, graph), tmp_path)
    with pytest.raises(ValueError, match="too many fields"):
        graphs.read(bomb)
    with pytest.raises(CheckpointCorrupt, match="is damaged"):
        foreign.read(bomb)


def test_other_files_are_no_graphs() -> None:
    assert graphs.is_graph(model().SerializeToString()[:16])
    for start in (
        b"",
        b"\x08",
        b"PK\x03\x04" + bytes(12),
        b"\x80\x02" + bytes(14),
        b"\x93NUMPY" + bytes(10),
        bytes(16),
    ):
        assert not graphs.is_graph(start)
