"""The weights of an IR-ResNet out of an ONNX graph: which convolution is which is told by how they are connected.

The other way round than `fusing` and `exporting`: whoever exports a network folds the batch normalisations that stand behind
a convolution or a linear layer into it and gives the tensors numbers for names. A normalisation that is missing becomes one
that changes nothing but by adding the layer's bias (mean 0, variance 1 - eps, weight 1), so the filled network says exactly
what the graph says. The graph is walked from its output to its picture; whatever an IR-ResNet has no place for is refused.
Torch is imported inside.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facestudio.errors import CheckpointMismatch
from facestudio.files import shown
from facestudio.graphs import Constant, Graph, Node

if TYPE_CHECKING:
    from torch import Tensor, nn

_PLAIN = frozenset({"Identity", "Dropout", "Cast"})  # they change nothing where weights are used rather than learned
_FLAT = _PLAIN | {"Flatten", "Reshape", "Squeeze", "Unsqueeze"}  # nor do these, to numbers in a row
_SPREAD = _FLAT | {"CastLike", "Expand"}
_FRACTIONS = (1, 10, 11)  # what a Cast may lead to: kinds of numbers with a fraction


def weights_of(graph: Graph, network: nn.Module, title: str, name: str) -> dict[str, Tensor]:
    """The state dictionary of `network` as the `graph` in the file called `name` fills it; shapes are not compared.

    `network` is an IResNet with the config that `title` is published with, and may be on the meta device: it says strides,
    paddings and what comes before the flattening. CheckpointMismatch in one sentence when the graph is no such network.
    """
    from facestudio.networks.iresnet import IResNet

    try:
        if not isinstance(network, IResNet):
            raise _Unfit("it is an ONNX graph, which is read of IR-ResNets only")
        return _Walk(graph, network).state()
    except _Unfit as error:
        raise CheckpointMismatch(f"{name} does not fit {title}: {error}.", hint="Choose the published file.") from error


class _Unfit(Exception):
    """What a graph has that the network has not, for a sentence."""


@dataclass(frozen=True)
class _Layer:
    """A convolution and the normalisation behind it, None where it was folded into the convolution."""

    conv: Node
    norm: Node | None
    kernel: tuple[int, ...]


@dataclass(frozen=True)
class _Unit:
    """What one Add adds up: the branch that ends with `main`, and its `shortcut`, None where that is `source` itself."""

    main: _Layer
    shortcut: _Layer | None
    source: str
    inner: _Layer
    slopes: str
    norm: Node | None


class _Walk:
    """One way through `graph`, from its output to its picture; fills `held` by the names of `network`."""

    def __init__(self, graph: Graph, network: Any) -> None:
        self.graph, self.network = graph, network
        self.makers = {output: node for node in graph.nodes for output in node.outputs if output}
        self.held: dict[str, Tensor] = {}
        self.ends: dict[Collection[str], dict[str, str]] = {}

    def state(self) -> dict[str, Tensor]:
        if len(self.graph.outputs) != 1:
            raise _Unfit(f"it gives {len(self.graph.outputs)} results where one is expected")
        value = self._stem(self._layers(self._head(self.graph.outputs[0])))
        if self._past(value) not in self.graph.inputs:
            raise _Unfit(f"it has {self._called(value)} where the picture is expected")
        return self.held

    # ---- the parts of the network, each from what it gives to what it takes

    def _head(self, value: str) -> str:
        norm, value = self._norm(value, _FLAT)
        self._hold_norm("features", norm)
        weight, bias, value = self._linear(value)
        self.held |= {"fc.weight": weight, "fc.bias": bias}
        value = self._past(value, _FLAT)
        if "reduce.weight" in self.network.state_dict():
            reducing = self._layer(value)
            if reducing.norm is not None or bool(self._bias(reducing, self.network.reduce.out_channels).any()):
                raise _Unfit("it reduces its last map with a bias")
            self._hold_conv("reduce", reducing)
            value = self._given(reducing.conv, 0)
        norm, value = self._norm(value)
        self._hold_norm("bn2", norm)
        return value

    def _layers(self, value: str) -> str:
        layers: list[list[_Unit]] = [[]]
        while not layers[-1] or self._op(value) == "Add":
            unit = self._unit(self._made(value, "Add"))
            layers[-1].append(unit)
            value = unit.source
            if unit.shortcut is not None and self._op(value) == "Add":
                layers.append([])
        layers = [units[::-1] for units in layers[::-1]]
        found = [len(units) for units in layers]
        wanted = [len(getattr(self.network, f"layer{n + 1}")) for n in range(self.network.depth)]
        if found != wanted:
            raise _Unfit(f"its layers have {_listed(found)} units where {_listed(wanted)} are expected")
        for number, units in enumerate(layers, 1):
            for index, unit in enumerate(units):
                self._hold_unit(f"layer{number}.{index}", unit)
        return value

    def _stem(self, value: str) -> str:
        node = self._made(value, "PRelu")
        layer = self._layer(self._given(node, 0))
        self._hold_layer("conv1", "bn1", layer)
        self._hold_slopes("prelu", self._given(node, 1))
        return self._given(layer.conv, 0)

    def _unit(self, added: Node) -> _Unit:
        ends = [(value, self._layer_or_none(value)) for value in added.inputs]
        thick = [end for end in ends if end[1] is not None and end[1].kernel == (3, 3)]
        if len(ends) != 2 or len(thick) != 1:
            raise _Unfit("it adds up what no unit of an IR-ResNet does")
        (main,) = [layer for _, layer in thick if layer is not None]
        ((beside, shortcut),) = [end for end in ends if end not in thick]
        acting = self._made(self._given(main.conv, 0), "PRelu")
        inner = self._layer(self._given(acting, 0))
        norm, source = self._norm(self._given(inner.conv, 0))
        source = self._past(source)
        if source != self._past(beside if shortcut is None else self._given(shortcut.conv, 0)):
            raise _Unfit("a shortcut of it does not begin where its unit does")
        return _Unit(main, shortcut, source, inner, self._given(acting, 1), norm)

    def _linear(self, value: str) -> tuple[Tensor, Tensor, str]:
        """Weight (D, K), bias (D,) and what is taken, of Gemm, or of MatMul with or without an Add behind it."""
        value = self._past(value, _FLAT)
        bias = None
        if self._op(value) == "Add":
            bias, value = self._added(self._made(value, "Add"))
            value = self._past(value, _FLAT)
        node = self._made(value, "MatMul") if bias is not None or self._op(value) == "MatMul" else None
        turned = node is not None
        if node is None:
            node = self._made(value, "Gemm")
            self._check("Gemm", node, {"transA": (0, 0), "alpha": (1.0, 1.0), "beta": (1.0, 1.0)})
            turned = not node.attributes.get("transB", 0)
            bias = node.inputs[2] if len(node.inputs) > 2 and node.inputs[2] else None
        weight = self._matrix(self._given(node, 1))
        weight = weight.T if turned else weight
        wide = self.network.fc.out_features
        return weight, self._zeros(wide) if bias is None else self._row(bias, wide), self._given(node, 0)

    def _added(self, node: Node) -> tuple[str, str]:
        """The constant that an Add adds, and to what."""
        constant = [value for value in node.inputs if self._is_constant(value)]
        others = [value for value in node.inputs if value not in constant]
        if len(constant) != 1 or len(others) != 1:
            raise _Unfit("it has Add where a linear layer is expected")
        return constant[0], others[0]

    # ---- nodes

    def _layer(self, value: str) -> _Layer:
        found = self._layer_or_none(value)
        if found is None:
            raise _Unfit(f"it has {self._called(value)} where a convolution is expected")
        return found

    def _layer_or_none(self, value: str) -> _Layer | None:
        norm, value = self._norm(value)
        node = self.makers.get(self._past(value))
        if node is None or node.op != "Conv":
            return None
        return _Layer(node, norm, self._constant(self._given(node, 1)).dims[2:])

    def _norm(self, value: str, past: Collection[str] = _PLAIN) -> tuple[Node | None, str]:
        """The batch normalisation that makes `value`, if one does, and what comes before it."""
        node = self.makers.get(self._past(value, past))
        if node is None or node.op != "BatchNormalization":
            return None, value
        self._check("BatchNormalization", node, {"training_mode": (0, 0), "spatial": (1, 1)})
        return node, self._given(node, 0)

    def _past(self, value: str, past: Collection[str] = _PLAIN) -> str:
        """The value before everything that changes nothing."""
        ends = self.ends.setdefault(past, {})  # many layers may share one long way to their weights
        way: list[str] = []
        while value not in ends and (node := self.makers.get(value)) is not None and node.op in past:
            if node.op == "Cast" and node.attributes.get("to") not in _FRACTIONS:
                raise _Unfit("it rounds numbers, which an IR-ResNet does not")
            way.append(value)
            value = self._given(node, 0)
        end = ends.get(value, value)
        ends |= dict.fromkeys(way, end)
        return end

    def _op(self, value: str) -> str:
        node = self.makers.get(self._past(value))
        return "" if node is None else node.op

    def _called(self, value: str) -> str:
        return shown(self._op(value) or "nothing")

    def _made(self, value: str, op: str) -> Node:
        node = self.makers.get(self._past(value))
        if node is None or node.op != op:
            raise _Unfit(f"it has {self._called(value)} where {op} is expected")
        return node

    def _given(self, node: Node, index: int) -> str:
        if len(node.inputs) <= index or not node.inputs[index]:
            raise _Unfit(f"its {shown(node.op)} lacks something")
        return node.inputs[index]

    def _check(self, op: str, node: Node, wanted: dict[str, tuple[Any, Any]]) -> None:
        """Each attribute must be what is wanted; the second one is what it is where it is not said."""
        for name, (want, otherwise) in wanted.items():
            have = node.attributes.get(name, otherwise)
            if have != want:
                raise _Unfit(f"a {op} of it has {name} {_listed(have)} where {_listed(want)} is expected")

    # ---- constants

    def _is_constant(self, value: str) -> bool:
        value = self._past(value, _SPREAD)
        return value in self.graph.constants or self._op(value) == "Constant"

    def _constant(self, value: str, past: Collection[str] = _PLAIN | {"CastLike"}) -> Constant:
        """The constant that `value` is."""
        value = self._past(value, past)
        node = self.makers.get(value)
        found = node.attributes.get("value") if node is not None and node.op == "Constant" else None
        constant = self.graph.constants.get(value, found)
        if not isinstance(constant, Constant):
            raise _Unfit(f"it has {self._called(value)} where weights are expected")
        return constant

    def _tensor(self, value: str, past: Collection[str] = _PLAIN | {"CastLike"}) -> Tensor:
        """The same as float32."""
        import torch

        try:
            return torch.from_numpy(self._constant(value, past).values())
        except ValueError as error:
            raise _Unfit("its weights are of a kind that cannot be used") from error

    def _matrix(self, value: str) -> Tensor:
        """The same, of weights that may be turned round before they are used."""
        turned = self._op(value) == "Transpose"
        weight = self._tensor(self._given(self._made(value, "Transpose"), 0) if turned else value)
        if weight.dim() != 2:
            raise _Unfit("its linear layer has weights that are no matrix")
        return weight.T if turned else weight

    def _row(self, value: str, wide: int) -> Tensor:
        """The numbers of `wide` channels; where only one is given it is the number of all."""
        row = self._tensor(value, _SPREAD).reshape(-1)
        if len(row) not in (1, wide):
            raise _Unfit(f"it has {len(row)} channels where {wide} are expected")
        return row.expand(wide)

    def _bias(self, layer: _Layer, wide: int) -> Tensor:
        inputs = layer.conv.inputs
        return self._row(inputs[2], wide) if len(inputs) > 2 and inputs[2] else self._zeros(wide)

    def _zeros(self, wide: int) -> Tensor:
        import torch

        return torch.zeros(wide)

    # ---- what is found

    def _hold_unit(self, key: str, unit: _Unit) -> None:
        self._hold_norm(f"{key}.bn1", unit.norm)
        self._hold_layer(f"{key}.conv1", f"{key}.bn2", unit.inner)
        self._hold_slopes(f"{key}.prelu", unit.slopes)
        self._hold_layer(f"{key}.conv2", f"{key}.bn3", unit.main)
        if unit.shortcut is not None:
            self._hold_layer(f"{key}.downsample.0", f"{key}.downsample.1", unit.shortcut)

    def _hold_layer(self, conv: str, norm: str, layer: _Layer) -> None:
        self._hold_conv(conv, layer)
        self._hold_norm(norm, layer.norm, self._bias(layer, self.network.get_submodule(norm).num_features))

    def _hold_conv(self, key: str, layer: _Layer) -> None:
        try:
            wanted = self.network.get_submodule(key)
        except AttributeError as error:
            raise _Unfit("it has a shortcut of its own where none is expected") from error
        node, (pad,) = layer.conv, set(wanted.padding)
        if node.attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"") and pad:
            raise _Unfit("a Conv of it says its padding in words")
        if layer.kernel != wanted.kernel_size:
            raise _Unfit(f"a Conv of it spans {_listed(layer.kernel)} where {_listed(wanted.kernel_size)} is expected")
        told = {"strides": (wanted.stride, (1, 1)), "pads": ((pad,) * 4, (0,) * 4), "dilations": ((1, 1), (1, 1))}
        self._check("Conv", node, {**told, "group": (1, 1)})
        self.held[f"{key}.weight"] = self._tensor(self._given(node, 1))

    def _hold_norm(self, key: str, node: Node | None, bias: Tensor | None = None) -> None:
        """The normalisation of `node` behind a layer with `bias`; without a node the one that only adds the bias."""
        import torch

        wanted = self.network.get_submodule(key)
        wide, eps = wanted.num_features, wanted.eps
        bias = self._zeros(wide) if bias is None else bias
        if node is None:
            scale, shift, mean, variance = torch.ones(wide), bias, self._zeros(wide), torch.full((wide,), 1 - eps)
        else:
            scale, shift, mean, variance = (self._row(self._given(node, index), wide) for index in range(1, 5))
            mean = mean - bias
            theirs = node.attributes.get("epsilon", 1e-5)
            if not isinstance(theirs, float):
                raise _Unfit("a BatchNormalization of it has an epsilon that is no number")
            if not abs(theirs - eps) <= 1e-3 * eps:  # else it was rounded to float32
                variance = variance + (theirs - eps)
        self.held |= {f"{key}.weight": scale, f"{key}.bias": shift}
        self.held |= {f"{key}.running_mean": mean, f"{key}.running_var": variance}

    def _hold_slopes(self, key: str, value: str) -> None:
        self.held[f"{key}.weight"] = self._row(value, self.network.get_submodule(key).num_parameters)


def _listed(numbers: Any) -> str:
    return ", ".join(map(str, numbers)) if isinstance(numbers, list | tuple) else shown(str(numbers))
