"""Networks that others published as ONNX graphs, read as plain data: which operation takes what, and the constants.

Nothing of a graph is run or even known here; what it means is for whoever walks along it (faces/unfusing.py). Source of the
field numbers: onnx.proto of ONNX, and the encoding of Protocol Buffers. This reader of six messages stands in the place of
the package onnx because that would come to everybody for the sake of one file, copies what this only maps, and would follow
paths to other files. What a file claims is compared with the bytes that are there before anything is made of it.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facestudio.errors import CheckpointMismatch
from facestudio.files import shown

MOST = 200_000  # fields of a file; networks of faces have some ten thousand
AXES = 8  # of a constant at most
_DENSE = {
    1: "<f4",
    10: "<f2",
    11: "<f8",
}  # kinds of numbers that weights are made of, as TensorProto.DataType calls them
_PIECES = {1: 4, 11: 10}  # the fields that hold these one by one; raw bytes stand in field 9 whatever they are
_RAW, _EXTERNAL = 9, {13, 14}
_NESTED = {6, 10, 11, 21, 22}  # what an attribute must not be: graphs, sparse tensors, another's attribute
_LONGEST = 10  # bytes of a number
Field = int | memoryview


@dataclass(frozen=True, eq=False)
class Constant:
    """Numbers of shape `dims`; `kind` is TensorProto.DataType, `data` what the file holds of them."""

    dims: tuple[int, ...]
    kind: int
    data: memoryview | bytes

    def values(self) -> np.ndarray:
        """The numbers as float32, in an array of their own; ValueError when they are not of a kind with a fraction."""
        if self.kind not in _DENSE:
            raise ValueError("no numbers with a fraction")
        return np.frombuffer(self.data, _DENSE[self.kind]).astype(np.float32).reshape(self.dims)


@dataclass(frozen=True, eq=False)
class Node:
    """One operation: `op` ("Conv"; "domain:Name" of those that are not ONNX's own), names of what it takes and gives ("" where
    something is left out), and `attributes`: numbers, tuples of them, bytes, or a `Constant`."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Graph:
    """A network: its `nodes`, each behind those that it takes from, its `constants`, and names of its `inputs` and `outputs`."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, Constant]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def is_graph(start: bytes) -> bool:
    """Whether a file that begins so (16 bytes) is an ONNX graph: its first two fields are a version and a known one."""
    return len(start) > 2 and start[0] == 0x08 and 0 < start[1] < 0x80 and start[2] in b"\x12\x1a\x22\x28\x32\x3a\x42"


def read(path: Path) -> Graph:
    """The graph in the file at `path`, which stays mapped while its constants are used.

    ValueError when it is damaged; CheckpointMismatch in one sentence when it keeps weights in other files or has parts
    that no plain network has.
    """
    with open(path, "rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    try:
        return _Reading().model(whole)
    except _Unread as error:
        raise CheckpointMismatch(f"{shown(path)} {error}.", hint="Choose the published file.") from error


class _Unread(Exception):
    """What the file has that is never read, for a sentence that begins with its name."""


class _Reading:
    """One file on its way to a graph; it counts the fields, since a small file may claim very many."""

    def __init__(self) -> None:
        self._left = MOST

    def model(self, view: memoryview) -> Graph:
        held = self._message(view)
        (graph,) = held.get(7, [])
        if held.get(25):
            raise _Unread("has functions of its own, which are not read")
        return self._graph(self._message(_bytes(graph)))

    def _graph(self, held: Mapping[int, list[Field]]) -> Graph:
        if held.get(15):
            raise _Unread("has sparse weights, which are not read")
        constants = {}
        for each in held.get(5, ()):
            name, constant = self._constant(_bytes(each))
            constants[name] = constant
        nodes = tuple(self._node(_bytes(each)) for each in held.get(1, ()))
        inputs, outputs = (tuple(self._name(_bytes(each)) for each in held.get(number, ())) for number in (11, 12))
        graph = Graph(nodes, constants, tuple(name for name in inputs if name not in constants), outputs)
        _check_order(graph)
        return graph

    def _node(self, view: memoryview) -> Node:
        held = self._message(view)
        op, domain = _text(held, 4), _text(held, 7)
        inputs, outputs = (tuple(str(_bytes(each), "utf-8") for each in held.get(number, ())) for number in (1, 2))
        attributes = dict(self._attribute(_bytes(each)) for each in held.get(5, ()))
        return Node(op if domain in ("", "ai.onnx") else f"{domain}:{op}", inputs, outputs, attributes)

    def _attribute(self, view: memoryview) -> tuple[str, Any]:
        held = self._message(view)
        if _NESTED & set(held):
            raise _Unread("has graphs within its graph, which are not read")
        name, kind = _text(held, 1), _number(held, 20)
        if 5 in held:
            return name, self._constant(_bytes(held[5][-1]))[1]
        if 8 in held or kind == 7:
            return name, tuple(self._numbers(held, 8))
        if 7 in held or kind == 6:
            return name, tuple(np.frombuffer(b"".join(map(_bytes, held.get(7, ()))), "<f4").tolist())
        if 4 in held or kind == 3:
            return name, bytes(_bytes(held[4][-1])) if 4 in held else b""
        if 2 in held or kind == 1:
            (fraction,) = np.frombuffer(_bytes(held[2][-1]), "<f4").tolist() if 2 in held else (0.0,)
            return name, fraction
        return name, _signed(_number(held, 3))

    def _constant(self, view: memoryview) -> tuple[str, Constant]:
        held = self._message(view)
        if any(each for number in _EXTERNAL for each in held.get(number, ())):
            raise _Unread("keeps its weights in other files, which are not read")
        dims, kind = tuple(self._numbers(held, 1)), _number(held, 2)
        if len(dims) > AXES or any(side < 0 for side in dims):
            raise ValueError("a shape that nothing has")
        number = _RAW if _RAW in held or kind not in _PIECES else _PIECES[kind]
        pieces = [_bytes(each) for each in held.get(number, ())]
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if kind in _DENSE and math.prod(dims) * np.dtype(_DENSE[kind]).itemsize != len(data):
            raise ValueError("a shape that its numbers do not have")
        return _text(held, 8), Constant(dims, kind, data)

    def _name(self, view: memoryview) -> str:
        return _text(self._message(view), 1)

    def _message(self, view: memoryview) -> dict[int, list[Field]]:
        """The fields of a message by their numbers; ValueError when it is cut off or no message."""
        held: dict[int, list[Field]] = {}
        for number, value in _fields(view):
            self._count()
            held.setdefault(number, []).append(value)
        return held

    def _numbers(self, held: Mapping[int, list[Field]], number: int) -> Iterator[int]:
        """Repeated numbers, which may be written one by one or packed together."""
        for value in held.get(number, ()):
            if not isinstance(value, memoryview):
                yield _signed(value)
                continue
            at = 0
            while at < len(value):
                one, at = _varint(value, at)
                self._count()
                yield _signed(one)

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise ValueError("too many fields")


def _check_order(graph: Graph) -> None:
    """ValueError unless every value is made once, and before it is taken: so nobody who walks back walks in a circle."""
    known = {*graph.inputs, *graph.constants}
    for node in graph.nodes:
        made = [name for name in node.outputs if name]
        if not known.issuperset(filter(None, node.inputs)) or not known.isdisjoint(made) or len(set(made)) < len(made):
            raise ValueError("values out of order")
        known.update(made)
    if not known.issuperset(graph.outputs):
        raise ValueError("an output that nobody makes")


# ---- the encoding


def _fields(view: memoryview) -> Iterator[tuple[int, Field]]:
    at = 0
    while at < len(view):
        tag, at = _varint(view, at)
        if tag & 7 == 0:
            value, at = _varint(view, at)
            yield tag >> 3, value
            continue
        if tag & 7 == 2:
            length, at = _varint(view, at)
        else:
            length = {1: 8, 5: 4}.get(tag & 7, -1)
        if length < 0 or at + length > len(view):
            raise ValueError("cut off")
        yield tag >> 3, view[at : at + length]
        at += length


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """The number that stands at `at`, and where the next thing stands."""
    number = 0
    for place, byte in enumerate(view[at : at + _LONGEST]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, at + place + 1
    raise ValueError("a number without an end")


def _signed(number: int) -> int:
    """Negative numbers are written as large ones."""
    return number - (1 << 64) if number >> 63 else number


def _number(held: Mapping[int, list[Field]], number: int) -> int:
    value = held.get(number, [0])[-1]
    if isinstance(value, memoryview):
        raise ValueError("bytes where a number is expected")
    return value


def _bytes(value: Field) -> memoryview:
    if not isinstance(value, memoryview):
        raise ValueError("a number where bytes are expected")
    return value


def _text(held: Mapping[int, list[Field]], number: int) -> str:
    return str(_bytes(held[number][-1]), "utf-8") if number in held else ""
